"""TwiML, Twilio's signature and Twilio's numbers; imports nothing from `bridge`.

document    parameters → TwiML                                       pure
signature   X-Twilio-Signature of https webhooks and wss upgrades    pure
token       a token that ties a stream to one call                   pure
issued      which calls were given a token                           pure
web         the voice webhook and the stream status callback
rest        Twilio's REST API, every failure one error
number      point a number here and back, attach to a live call
"""
