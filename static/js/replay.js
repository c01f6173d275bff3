// Moves through the past: by the slider, by playing, by the links, without loading the page anew.
// One moment is fetched at a time; while one is on its way only the last that was wished for waits.
const replay = document.getElementById("replay");
const player = document.getElementById("player");
const slider = document.getElementById("second");
const button = document.getElementById("play");
const speed = document.getElementById("speed");
const FRAME_MS = 500;

let playing = false;
let busy = false;
let wished = null;
let timer = 0;

const when = () => document.getElementById("when");
const address = (ms) => `${replay.dataset.url}?at=${new Date(ms).toISOString().replace(/\.\d+Z/, "Z")}`;
const shownMs = () => Date.parse(when().dataset.at);

function follow({ dragging }) {
  const { place, last, time, local, link } = when().dataset;
  slider.max = last;  // of an hour that is not over, now
  if (!dragging) slider.value = place;
  slider.setAttribute("aria-valuetext", time);
  document.getElementById("at").value = local;
  document.getElementById("link").textContent = link;
  document.title = `${time} · fleetweb`;
}

async function show(url) {
  wished = url;
  if (busy) return;
  busy = true;
  try {
    while (wished) {
      const next = wished;
      wished = null;
      await htmx.ajax("GET", next, { source: replay, target: "#when", swap: "none" });
      history.replaceState(null, "", next);
      follow({ dragging: wished !== null });
    }
  } finally {
    busy = false;
  }
}

// Playing lands on trouble instead of passing over it.
function nextMs(pace) {
  const to = shownMs() + Math.max(1, pace * FRAME_MS / 1000) * 1000;
  const trouble = Date.parse(when().dataset.trouble);
  return trouble > shownMs() ? Math.min(to, trouble) : to;
}

async function step() {
  const pace = Number(speed.value);
  const to = nextMs(pace);
  if (to > Date.now()) return pause();
  const began = performance.now();
  const lasts = pace * FRAME_MS / 1000 >= 1 ? FRAME_MS : 1000 / pace;
  try {
    await show(address(to));
  } catch {
    return pause();
  }
  if (playing) timer = setTimeout(step, Math.max(0, lasts - (performance.now() - began)));
}

function pause() {
  playing = false;
  clearTimeout(timer);
  button.textContent = "Play";
  button.setAttribute("aria-pressed", "false");
  delete document.documentElement.dataset.playing;
}

function play() {
  playing = true;
  button.textContent = "Pause";
  button.setAttribute("aria-pressed", "true");
  document.documentElement.dataset.playing = "";
  step();
}

function drag() {
  pause();
  show(address(Date.parse(when().dataset.hour) + Number(slider.value) * 1000));
}

function leap(event) {
  const link = event.target.closest("#when nav a, #hour a, #happened .at, .gap a");
  if (!link || event.metaKey || event.ctrlKey || event.shiftKey || event.button) return;
  event.preventDefault();
  pause();
  show(link.href);
}

slider.addEventListener("input", drag);
button.addEventListener("click", () => (playing ? pause() : play()));
document.addEventListener("click", leap);
player.hidden = false;
slider.value = when().dataset.place;
