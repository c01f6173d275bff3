// Says when what is shown is old: no message for a while, a closed socket, or nobody watching the fleet.
const QUIET_MS = 2500;
const UNWATCHED_MS = 8000;
const STALE = new Set(["lost", "stranger"]);

const banner = document.getElementById("connection");
const seen = document.getElementById("seen");
let heardAt = performance.now();
let alarm = setTimeout(miss, QUIET_MS);
let quiet = false;
let closed = false;
let stranger = false;
let beat = null;
let shown = {};

// Touches the page only where something is new: it is asked after every message.
function show(trouble, since) {
  if (trouble === shown.trouble && since === shown.since) return;
  shown = { trouble, since };
  for (const line of banner.children) {
    line.hidden = line.dataset.trouble !== trouble;
    const time = line.querySelector("time");
    if (time && since && !line.hidden) time.dateTime = since;
  }
  const stale = STALE.has(trouble);
  document.documentElement.dataset.connection = stale ? "lost" : "well";
  // How long nothing had been heard when that was noticed.
  if (stale) banner.dataset.silentMs = Math.round(performance.now() - heardAt);
}

function check() {
  if (stranger) return show("stranger");
  if (closed || quiet) return show("lost", seen.dateTime);
  if (beat && !beat.watched_at) return show("unseen");
  const unwatched = beat && Date.parse(beat.at) - Date.parse(beat.watched_at) > UNWATCHED_MS;
  return unwatched ? show("unwatched", beat.watched_at) : show(null);
}

function hear(event) {
  heardAt = performance.now();
  clearTimeout(alarm);
  alarm = setTimeout(miss, QUIET_MS);
  quiet = closed = stranger = false;
  const { data } = event.detail.message;
  if (typeof data === "string" && data.startsWith("{")) {
    beat = JSON.parse(data);
    seen.dateTime = beat.at;
  }
  check();
}

function miss() {
  quiet = true;
  check();
}

// A refused handshake does not say why; the page itself does: it leads strangers to the login.
async function isStranger() {
  try {
    const answer = await fetch(location.href, { method: "HEAD", redirect: "manual" });
    return answer.type === "opaqueredirect";
  } catch {
    return false;
  }
}

async function lose() {
  closed = true;
  check();
  stranger = await isStranger();
  check();
}

document.addEventListener("htmx:ws:before:message:incoming", hear);
document.addEventListener("htmx:ws:close", lose);
