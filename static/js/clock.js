// Tells times of the clock, and lets elapsed times tick without the server's help. In the reader's own
// zone, except on pages of the past: those say which zone theirs are in, and it is said where it is another.
import { onChange } from "./changes.js";

const owners = document.getElementById("zone");
const timeZone = owners?.dataset.zone;

// Made once: to make one takes longer than all else that is done here.
const ofDay = new Intl.DateTimeFormat([], {
  hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23", timeZone,
});
const ofDate = new Intl.DateTimeFormat([], { timeZone });
const zoneOf = (format) => format.resolvedOptions().timeZone;

// A page of the past says which moment it shows: what lasted then is counted up to there.
const present = () => Date.parse(document.querySelector("[data-at]")?.dataset.at) || Date.now();

function elapsed(since) {
  const seconds = Math.max(0, Math.floor((present() - Date.parse(since)) / 1000));
  const minutes = Math.floor(seconds / 60);
  const hours = Math.floor(minutes / 60);
  if (seconds < 120) return `${seconds} s`;
  if (minutes < 120) return `${minutes} min`;
  if (hours < 48) return minutes % 60 ? `${hours} h ${minutes % 60} min` : `${hours} h`;
  return `${Math.floor(hours / 24)} days`;
}

function clock(at) {
  const time = new Date(at);
  const date = ofDate.format(time);
  return date === ofDate.format() ? ofDay.format(time) : `${date} ${ofDay.format(time)}`;
}

function tell(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

function refresh() {
  for (const time of document.querySelectorAll("time[data-since]")) tell(time, `for ${elapsed(time.dateTime)}`);
  for (const time of document.querySelectorAll("time[data-clock][datetime]")) tell(time, clock(time.dateTime));
}

if (owners) owners.hidden = zoneOf(ofDate) === zoneOf(new Intl.DateTimeFormat());
onChange(refresh, ["datetime", "data-at"]);
setInterval(refresh, 1000);
