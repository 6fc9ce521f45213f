// The quickstart of JavaScript SDK 5: a radio's stream, handed on as it comes.
const { DeepgramClient } = require("@deepgram/sdk");

const { DEEPGRAM_ORIGIN, AUDIO_URL } = process.env;

const live = async () => {
  const client = new DeepgramClient({
    environment: {
      base: `http://${DEEPGRAM_ORIGIN}`,
      production: `ws://${DEEPGRAM_ORIGIN}`,
      agent: `ws://${DEEPGRAM_ORIGIN}`,
      agentRest: `http://${DEEPGRAM_ORIGIN}`,
    },
  });
  const connection = await client.listen.v1.connect({ model: "nova-3", language: "en", punctuate: "true" });
  connection.on("open", () => console.log("Connection opened"));
  connection.on("message", (data) => {
    if (data.type === "Results") console.log(data.channel.alternatives[0].transcript);
    else console.log(data.type);
  });
  connection.on("error", (error) => console.error(error));
  connection.on("close", (event) => console.log(`Connection closed with code ${event.code}.`));
  connection.connect();
  await connection.waitForOpen();
  const response = await fetch(AUDIO_URL);
  for await (const chunk of response.body) connection.sendMedia(chunk);
  connection.sendCloseStream({ type: "CloseStream" });
};

live();
