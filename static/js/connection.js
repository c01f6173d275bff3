// Says when what is shown is old: no message for a while, a closed socket, or nobody watching the fleet.
const QUIET_MS = 2500;
const UNWATCHED_MS = 8000;
const STALE = new Set(["lost", "stranger"]);

const banner = document.getElementById("connection");
const seen = document.getElementById("seen");
let heardAt = performance.now();
let closed = false;
let stranger = false;
let beat = null;

function show(trouble, since) {
  for (const line of banner.children) {
    line.hidden = line.dataset.trouble !== trouble;
    const time = line.querySelector("time");
    if (time && since && !line.hidden) time.dateTime = since;
  }
  document.documentElement.dataset.connection = STALE.has(trouble) ? "lost" : "well";
}

function check() {
  if (stranger) return show("stranger");
  if (closed || performance.now() - heardAt > QUIET_MS) return show("lost", seen.dateTime);
  if (beat && !beat.watched_at) return show("unseen");
  const unwatched = beat && Date.parse(beat.at) - Date.parse(beat.watched_at) > UNWATCHED_MS;
  return show(unwatched ? "unwatched" : null, beat?.watched_at);
}

function hear(event) {
  heardAt = performance.now();
  closed = stranger = false;
  const { data } = event.detail.message;
  if (typeof data === "string" && data.startsWith("{")) {
    beat = JSON.parse(data);
    seen.dateTime = beat.at;
  }
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
setInterval(check, 500);
