import { LiveStream, joints } from "./live.js";

const part = (id) => document.getElementById(id);
const canvas = part("figure");
const SCALE = 200; // pixels a metre
let stream = null;

part("server").value = new URLSearchParams(location.search).get("server") ?? part("server").value;
part("job").value = new URLSearchParams(location.search).get("job") ?? "";

part("open").onsubmit = (event) => {
  event.preventDefault();
  stream?.close();
  stream = new LiveStream(part("server").value, part("job").value, {
    key: part("key").value,
    onFrame: show,
    onMessage: tell,
    onEnd: (code) => (part("state").textContent = `closed (${code})`),
  });
};
part("play").onclick = () => stream?.say("play");
part("pause").onclick = () => stream?.say("pause");
part("time").oninput = ({ target }) => stream?.say("seek", { time: Number(target.value) });
part("next").onsubmit = (event) => {
  event.preventDefault();
  stream?.say("next", { prompt: part("prompt").value });
};

function tell(message) {
  if (message.type === "motion") part("time").max = message.to;
  if (message.type === "problem") part("state").textContent = message.problem.detail;
  else if (message.prompt) part("state").textContent = message.prompt;
  else if (message.type === "waiting") part("state").textContent = `${message.state} …`;
}

function show(frame, skeleton) {
  const places = joints(frame, skeleton);
  const pen = canvas.getContext("2d");
  pen.clearRect(0, 0, canvas.width, canvas.height);
  pen.lineWidth = 4;
  pen.beginPath();
  // The camera goes along, and looks at the figure from the front.
  const x = (place) => canvas.width / 2 + (place[0] - frame.root[0]) * SCALE;
  const y = (place) => canvas.height - 40 - place[1] * SCALE;
  skeleton.parents.forEach((parent, joint) => {
    if (parent < 0) return;
    pen.moveTo(x(places[parent]), y(places[parent]));
    pen.lineTo(x(places[joint]), y(places[joint]));
  });
  pen.stroke();
  part("time").value = frame.time;
  canvas.dataset.time = frame.time.toFixed(3);
}
