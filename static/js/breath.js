// Gives each machine's effort to the style sheet, which turns it into the pace of its breath.
// A new pace continues the breath where it is: neither a push nor a change of tempo makes it jump.
import { onChange } from "./changes.js";

const BREATHS = new Set(["breathe", "glow"]);

function phase(breath) {
  const { duration, delay } = breath.effect.getComputedTiming();
  return (((breath.currentTime - delay) / duration) % 1 + 1) % 1;
}

function resume(breath, at) {
  const { duration, delay } = breath.effect.getComputedTiming();
  const breaths = Math.ceil((breath.currentTime - delay) / duration - at);
  breath.currentTime = (breaths + at) * duration + delay;
}

function follow() {
  for (const machine of document.querySelectorAll("[data-intensity]")) {
    const intensity = machine.dataset.intensity;
    if (machine.style.getPropertyValue("--intensity") === intensity) continue;
    const breaths = machine.getAnimations({ subtree: true })
      .filter((animation) => BREATHS.has(animation.animationName) && animation.currentTime !== null)
      .map((animation) => [animation, phase(animation)]);
    machine.style.setProperty("--intensity", intensity);
    for (const [breath, at] of breaths) resume(breath, at);
  }
}

onChange(follow, ["data-intensity"]);
