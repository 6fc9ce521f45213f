"""From a measured fact to a finding with its remedy: no sockets, no clock, no settings but those that are given."""
