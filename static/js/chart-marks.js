// Thin lines through a chart where something happened; the list below the charts has the words.
export function marksPlugin(marks, colourOf) {
  function draw(u) {
    const { ctx, bbox } = u;
    ctx.save();
    ctx.setLineDash([2, 3]);
    ctx.lineWidth = devicePixelRatio;
    for (const mark of marks()) {
      const x = Math.round(u.valToPos(mark.at, "x", true));
      if (x < bbox.left || x > bbox.left + bbox.width) continue;
      ctx.strokeStyle = ctx.fillStyle = colourOf(mark.tone);
      ctx.beginPath();
      ctx.moveTo(x, bbox.top);
      ctx.lineTo(x, bbox.top + bbox.height);
      ctx.stroke();
      flag(ctx, x, bbox.top, mark.tone);
    }
    ctx.restore();
  }
  return { hooks: { drawAxes: draw } };
}

// Trouble points down, what is good again points up: not by colour alone.
function flag(ctx, x, top, tone) {
  const size = 4 * devicePixelRatio;
  const [from, to] = tone === "hurt" ? [top, top + size * 1.5] : [top + size * 1.5, top];
  ctx.beginPath();
  ctx.moveTo(x - size, from);
  ctx.lineTo(x + size, from);
  ctx.lineTo(x, to);
  ctx.fill();
}
