// The quickstart of JavaScript SDK 3: a radio's stream, handed on as it comes.
const { createClient, LiveTranscriptionEvents } = require("@deepgram/sdk");
const fetch = require("cross-fetch");

const { DEEPGRAM_ORIGIN, DEEPGRAM_API_KEY, AUDIO_URL } = process.env;

const live = async () => {
  const deepgram = createClient(DEEPGRAM_API_KEY, {
    global: {
      fetch: { options: { url: `http://${DEEPGRAM_ORIGIN}` } },
      websocket: { options: { url: `ws://${DEEPGRAM_ORIGIN}` } },
    },
  });
  const { result } = await deepgram.manage.getProjects();
  console.log(`Projects: ${result.projects.length}`);
  const connection = deepgram.listen.live({ model: "nova-3", language: "en-US", smart_format: true });

  connection.on(LiveTranscriptionEvents.Open, () => {
    const keepAlive = setInterval(() => connection.keepAlive(), 3000);
    connection.on(LiveTranscriptionEvents.Close, (event) => {
      clearInterval(keepAlive);
      console.log(`Connection closed with code ${event.code}.`);
    });
    connection.on(LiveTranscriptionEvents.Transcript, (data) => {
      console.log(data.channel.alternatives[0].transcript);
    });
    connection.on(LiveTranscriptionEvents.Metadata, (data) => console.log(`${data.type}: ${data.duration} s`));
    connection.on(LiveTranscriptionEvents.Error, (error) => console.error(error));
    fetch(AUDIO_URL)
      .then((response) => response.body)
      .then((body) => {
        body.on("readable", () => {
          const data = body.read();
          if (data) connection.send(data);
        });
        body.on("end", () => connection.requestClose());
      });
  });
};

live();
