// The quickstart of Flux, with JavaScript SDK 5: raw audio, and what is told of the turns.
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
  const connection = await client.listen.v2.connect({
    model: "flux-general-en",
    encoding: "linear16",
    sample_rate: "16000",
    eager_eot_threshold: "0.5",
  });
  connection.on("open", () => console.log("Connection opened"));
  connection.on("message", (data) => {
    if (data.type === "TurnInfo") console.log(`${data.event}: ${data.transcript}`);
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
