// A stretch of a chart, as an address: what is looked at can be kept, sent and gone back from.
const SHORTEST = 60;

export function look(from, to, data) {
  const address = new URL(location.href);
  const middle = (from + to) / 2;
  const half = Math.max((to - from) / 2, SHORTEST / 2);
  const iso = (at) => `${new Date(Math.round(at) * 1000).toISOString().slice(0, 19)}Z`;
  address.searchParams.delete("range");
  address.searchParams.set("from", iso(Math.max(data.since, middle - half)));
  address.searchParams.set("to", iso(Math.min(data.until, middle + half)));
  location.assign(address);
}
