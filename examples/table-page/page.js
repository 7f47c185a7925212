// A page at a table: it logs in, joins, says something now and then, and shows what it hears.

import { io } from "/socket.io-client.js";

const asked = new URLSearchParams(location.hash.slice(1));
const sessionId = asked.get("session");
const show = (text) => { document.querySelector("#state").textContent = text; };

const account = { username: asked.get("username"), password: asked.get("password") };
await fetch("/api/auth/login", {
  method: "POST",
  headers: { "Content-Type": "application/json" },
  body: JSON.stringify(account),
});

const socket = io({ withCredentials: true });
let seated = false; // whether this page has ever taken its seat
let joined = false; // whether this connection has joined
let left = false; // whether the user is done with this session

socket.on("connect", async () => {
  const answer = await socket.timeout(5000).emitWithAck("join-session", { sessionId });
  seated = joined = answer.success;
  show(joined ? "at the table" : answer.error);
});
socket.on("disconnect", (reason) => {
  joined = false;
  show("the connection is lost");
  if (reason === "io server disconnect") setTimeout(() => socket.connect(), 1000);
});
socket.on("connect_error", (error) => show(error.message));
socket.on("session-removed", () => {
  seated = joined = false;
  show("you were removed from this session");
});
socket.on("chat-message", ({ message }) => {
  const line = document.createElement("li");
  line.textContent = message;
  document.querySelector("#heard").append(line);
});

const maySpeak = () => seated;

for (let turn = 1; !left; turn += 1) {
  await new Promise((done) => { setTimeout(done, 200); });
  if (turn === 15 && asked.get("act") === "moved-on" && joined) {
    left = true;
    await socket.emitWithAck("leave-session", { sessionId });
  } else if (maySpeak()) {
    socket.emit("chat-message", { sessionId, message: `This is turn ${turn}.` }, (answer) => {
      if (!answer.success) show(answer.error);
    });
  }
}
