// What a page in a browser does, with the `ws` that comes with JavaScript SDK 3: a key is traded for a token that ends
// soon, and the token goes where a browser can put it, into the subprotocol.
const fetch = require("cross-fetch");
const WebSocket = require("ws");

const { DEEPGRAM_ORIGIN, DEEPGRAM_API_KEY, AUDIO_URL } = process.env;

const live = async () => {
  const granted = await fetch(`http://${DEEPGRAM_ORIGIN}/v1/auth/grant`, {
    method: "POST",
    headers: { Authorization: `Token ${DEEPGRAM_API_KEY}`, "Content-Type": "application/json" },
    body: JSON.stringify({ ttl_seconds: 10 }),
  });
  const { access_token: token, expires_in: seconds } = await granted.json();
  console.log(`Token for ${seconds} s`);
  const query = "model=nova-3&encoding=linear16&sample_rate=16000&punctuate=true";
  const socket = new WebSocket(`ws://${DEEPGRAM_ORIGIN}/v1/listen?${query}`, ["bearer", token]);
  socket.onopen = async () => {
    console.log(`Subprotocol: ${socket.protocol}`);
    const response = await fetch(AUDIO_URL);
    for await (const chunk of response.body) socket.send(chunk);
    socket.send(JSON.stringify({ type: "CloseStream" }));
  };
  socket.onmessage = (event) => {
    const message = JSON.parse(event.data);
    if (message.type === "Results") console.log(message.channel.alternatives[0].transcript);
    else console.log(message.type);
  };
  socket.onclose = (event) => console.log(`Connection closed with code ${event.code}.`);
  socket.onerror = (error) => console.error(error.message);
};

live();
