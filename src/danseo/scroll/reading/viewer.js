"use strict";
// The unrolled sheet: tiles on a canvas, moved by pointer, wheel, pinch, keys and buttons.
(() => {
  const byId = (id) => document.getElementById(id);
  const sheet = JSON.parse(byId("sheet-data").textContent);
  const viewer = byId("viewer"), canvas = byId("sheet"), map = byId("map");
  const pen = canvas.getContext("2d"), mapPen = map.getContext("2d");
  if (!pen) return; // the plain picture stays
  const tiles = new Map();
  const keep = 400; // tiles held at once
  const view = { x: 0, y: sheet.height / 2, scale: 1 }; // sheet pixel at the centre; css px per pixel
  let wide = 1, high = 1, dense = 1, drawing = false;

  viewer.hidden = false;
  byId("plain").hidden = true;

  const shown = () => sheet.layers.filter((name) => {
    const box = byId("layer-" + name);
    return box && box.checked;
  });
  const fit = () => Math.min(wide / sheet.width, high / sheet.height);
  const column = () => Math.min(1, (high - 24) / sheet.height); // the whole height, never blown up
  const least = () => Math.min(fit(), column());
  const clamp = (value, low, top) => Math.max(low, Math.min(top, value));

  function settle() {
    view.scale = clamp(view.scale, least(), 8);
    const halfWide = Math.min(wide / 2 / view.scale, sheet.width / 2);
    const halfHigh = Math.min(high / 2 / view.scale, sheet.height / 2);
    view.x = clamp(view.x, halfWide, sheet.width - halfWide);
    view.y = clamp(view.y, halfHigh, sheet.height - halfHigh);
    // A finger may scroll the page where there is nothing to move up and down here.
    canvas.style.touchAction = sheet.height * view.scale <= high ? "pan-y" : "none";
    redraw();
  }

  function redraw() {
    if (!drawing) {
      drawing = true;
      requestAnimationFrame(() => { drawing = false; draw(); });
    }
  }

  function tile(layer, level, row, col, ask) {
    const key = `${layer}/${level}/${row}-${col}`;
    let found = tiles.get(key);
    if (!found) {
      if (!ask) return null;
      found = new Image();
      found.decoding = "async";
      found.onload = redraw;
      found.src = `${sheet.folder}/${key}.${sheet.suffix[layer]}`;
      if (tiles.size >= keep) tiles.delete(tiles.keys().next().value);
    } else {
      tiles.delete(key); // asked for last, dropped last
    }
    tiles.set(key, found);
    return found.complete && found.naturalWidth ? found : null;
  }

  function drawLayer(layer) {
    const level = clamp(Math.floor(Math.log2(1 / (view.scale * dense)) + 0.01), 0, sheet.levels - 1);
    const side = sheet.tile * 2 ** level;
    const left = view.x - wide / 2 / view.scale, top = view.y - high / 2 / view.scale;
    const first = (at) => Math.max(0, Math.floor(at / side));
    const lastRow = Math.min(Math.ceil(sheet.height / side), Math.ceil((top + high / view.scale) / side));
    const lastCol = Math.min(Math.ceil(sheet.width / side), Math.ceil((left + wide / view.scale) / side));
    for (let row = first(top); row < lastRow; row++) {
      for (let col = first(left); col < lastCol; col++) drawTile(layer, level, row, col, left, top);
    }
  }

  // Draw a tile, or until it is there the part of a coarser one that covers it.
  function drawTile(layer, level, row, col, left, top) {
    const side = sheet.tile * 2 ** level;
    const x = col * side, y = row * side;
    const w = Math.min(side, sheet.width - x), h = Math.min(side, sheet.height - y);
    for (let up = level; up < sheet.levels; up++) {
      const step = 2 ** (up - level);
      const found = tile(layer, up, Math.floor(row / step), Math.floor(col / step), up === level || up === sheet.levels - 1);
      if (!found) continue;
      const zoom = 2 ** up, coarse = sheet.tile * zoom;
      const sx = (x % coarse) / zoom, sy = (y % coarse) / zoom;
      const sw = Math.min(w / zoom, found.naturalWidth - sx), sh = Math.min(h / zoom, found.naturalHeight - sy);
      if (sw <= 0 || sh <= 0) return;
      pen.drawImage(found, sx, sy, sw, sh, (x - left) * view.scale, (y - top) * view.scale,
        w * view.scale, h * view.scale);
      return;
    }
  }

  function draw() {
    const style = getComputedStyle(viewer);
    pen.setTransform(dense, 0, 0, dense, 0, 0);
    pen.clearRect(0, 0, wide, high);
    pen.imageSmoothingEnabled = view.scale < 3;
    const layers = shown();
    if (!layers.includes("papyrus")) {
      pen.fillStyle = style.getPropertyValue("--blank");
      pen.fillRect((0 - view.x) * view.scale + wide / 2, (0 - view.y) * view.scale + high / 2,
        sheet.width * view.scale, sheet.height * view.scale);
    }
    for (const layer of layers) if (layer !== "text") drawLayer(layer);
    if (layers.includes("text")) drawLetters(style);
    drawBar(style);
    drawMap(style);
  }

  function drawLetters(style) {
    pen.textAlign = "center";
    pen.textBaseline = "alphabetic";
    pen.lineJoin = "round";
    for (const [char, x0, y0, x1, y1, sure] of sheet.letters) {
      const left = (x0 - view.x) * view.scale + wide / 2, right = (x1 - view.x) * view.scale + wide / 2;
      const top = (y0 - view.y) * view.scale + high / 2, tall = (y1 - y0) * view.scale;
      if (right < 0 || left > wide || top > high || top + tall < 0) continue;
      pen.strokeStyle = style.getPropertyValue("--mark");
      pen.setLineDash(sure ? [] : [4, 3]);
      pen.lineWidth = 1.5;
      pen.strokeRect(left, top, right - left, tall);
      if (tall < 10) continue;
      pen.setLineDash([]);
      pen.font = `600 ${clamp(tall * 0.5, 12, 34)}px Georgia, "Noto Serif", serif`;
      pen.lineWidth = 4;
      pen.strokeStyle = style.getPropertyValue("--halo");
      const at = top > 40 ? top - 4 : top + tall + Math.min(30, tall * 0.5);
      pen.strokeText(char, (left + right) / 2, at);
      pen.fillStyle = style.getPropertyValue("--mark");
      pen.fillText(char, (left + right) / 2, at);
    }
    pen.setLineDash([]);
  }

  function drawBar(style) {
    if (!sheet.um) return;
    const steps = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500];
    const perMm = 1000 / sheet.um * view.scale;
    const mm = steps.filter((one) => one * perMm <= 160).pop() || steps[0];
    const x = 14, y = high - 16, long = mm * perMm;
    pen.lineWidth = 5;
    pen.strokeStyle = style.getPropertyValue("--halo");
    pen.fillStyle = style.getPropertyValue("--bar");
    pen.font = "14px system-ui, sans-serif";
    pen.textAlign = "left";
    const said = mm >= 1 ? `${mm} mm` : `${Math.round(mm * 1000)} µm`;
    pen.strokeText(said, x, y - 8);
    pen.fillText(said, x, y - 8);
    pen.strokeRect(x, y, long, 1);
    pen.fillRect(x, y - 1, long, 3);
  }

  function drawMap(style) {
    const w = map.clientWidth, h = map.clientHeight;
    if (!w) return;
    mapPen.setTransform(dense, 0, 0, dense, 0, 0);
    mapPen.clearRect(0, 0, w, h);
    // Fine enough for its pixels, and never more than a few dozen tiles.
    let level = sheet.levels - 1;
    while (level > 0 && sheet.width / 2 ** level < w * dense && sheet.width / 2 ** level < 24 * sheet.tile) level--;
    const zoom = 2 ** level, side = sheet.tile * zoom;
    for (let row = 0; row * side < sheet.height; row++) {
      for (let col = 0; col * side < sheet.width; col++) {
        const found = tile("papyrus", level, row, col, true);
        if (found) {
          mapPen.drawImage(found, col * side * w / sheet.width, row * side * h / sheet.height,
            found.naturalWidth * zoom * w / sheet.width, found.naturalHeight * zoom * h / sheet.height);
        }
      }
    }
    const seenWide = Math.min(sheet.width, wide / view.scale), seenHigh = Math.min(sheet.height, high / view.scale);
    mapPen.strokeStyle = style.getPropertyValue("--mark");
    mapPen.lineWidth = 2;
    mapPen.strokeRect((view.x - seenWide / 2) * w / sheet.width + 1, (view.y - seenHigh / 2) * h / sheet.height + 1,
      Math.max(4, seenWide * w / sheet.width - 2), Math.max(4, seenHigh * h / sheet.height - 2));
  }

  function zoom(factor, atX = wide / 2, atY = high / 2) {
    const x = view.x + (atX - wide / 2) / view.scale, y = view.y + (atY - high / 2) / view.scale;
    view.scale = clamp(view.scale * factor, least(), 8);
    view.x = x - (atX - wide / 2) / view.scale;
    view.y = y - (atY - high / 2) / view.scale;
    settle();
    tell();
  }

  function move(x, y) {
    view.x += x * wide / view.scale;
    view.y += y * high / view.scale;
    settle();
    tell();
  }

  const acts = {
    in: () => zoom(1.5),
    out: () => zoom(1 / 1.5),
    left: () => move(-0.3, 0),
    right: () => move(0.3, 0),
    up: () => move(0, -0.3),
    down: () => move(0, 0.3),
    whole: () => { view.scale = fit(); settle(); tell(); },
    column: () => { view.scale = column(); settle(); tell(); },
    start: () => { view.x = 0; settle(); tell(); },
    end: () => { view.x = sheet.width; settle(); tell(); },
    full: () => document.fullscreenElement ? document.exitFullscreen() : viewer.requestFullscreen(),
  };
  const keys = {
    "+": "in", "=": "in", "-": "out", "0": "whole", "1": "column", ArrowLeft: "left",
    ArrowRight: "right", ArrowUp: "up", ArrowDown: "down", Home: "start", End: "end",
  };

  let telling = 0;
  function tell() {
    clearTimeout(telling);
    telling = setTimeout(() => {
      const seen = [view.x - wide / 2 / view.scale, view.x + wide / 2 / view.scale];
      const mm = seen.map((at) => (clamp(at, 0, sheet.width) * (sheet.um || 1) / (sheet.um ? 1000 : 1)).toFixed(1));
      byId("place").textContent = sheet.place.replace("{from}", mm[0]).replace("{to}", mm[1])
        .replace("{zoom}", Math.round(view.scale * 100));
    }, 200);
  }

  for (const button of viewer.querySelectorAll("button[data-act]")) {
    button.addEventListener("click", acts[button.dataset.act]);
    if (button.dataset.act === "full" && !viewer.requestFullscreen) button.hidden = true;
  }
  for (const box of viewer.querySelectorAll("input[type=checkbox]")) box.addEventListener("change", redraw);
  canvas.addEventListener("keydown", (event) => {
    const act = keys[event.key];
    if (act && !event.ctrlKey && !event.metaKey && !event.altKey) {
      event.preventDefault();
      acts[act]();
    }
  });
  canvas.addEventListener("wheel", (event) => {
    const factor = Math.exp(-event.deltaY * (event.deltaMode ? 0.05 : 0.002));
    if (factor < 1 && view.scale <= least() * 1.001) return; // the page may scroll on
    event.preventDefault();
    const frame = canvas.getBoundingClientRect();
    zoom(factor, event.clientX - frame.left, event.clientY - frame.top);
  }, { passive: false });
  canvas.addEventListener("dblclick", (event) => {
    const frame = canvas.getBoundingClientRect();
    zoom(2, event.clientX - frame.left, event.clientY - frame.top);
  });

  const fingers = new Map();
  const spread = () => {
    const [a, b] = [...fingers.values()];
    return { far: Math.hypot(a.x - b.x, a.y - b.y), x: (a.x + b.x) / 2, y: (a.y + b.y) / 2 };
  };
  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    fingers.set(event.pointerId, { x: event.offsetX, y: event.offsetY });
  });
  canvas.addEventListener("pointermove", (event) => {
    const before = fingers.get(event.pointerId);
    if (!before) return;
    const now = { x: event.offsetX, y: event.offsetY };
    if (fingers.size === 2) {
      const old = spread();
      fingers.set(event.pointerId, now);
      const next = spread();
      view.x -= (next.x - old.x) / view.scale;
      view.y -= (next.y - old.y) / view.scale;
      zoom(next.far / Math.max(1, old.far), next.x, next.y);
    } else {
      fingers.set(event.pointerId, now);
      view.x -= (now.x - before.x) / view.scale;
      view.y -= (now.y - before.y) / view.scale;
      settle();
      tell();
    }
  });
  for (const name of ["pointerup", "pointercancel"]) {
    canvas.addEventListener(name, (event) => fingers.delete(event.pointerId));
  }

  let seeking = false;
  const seek = (event) => {
    view.x = event.offsetX / map.clientWidth * sheet.width;
    view.y = event.offsetY / map.clientHeight * sheet.height;
    settle();
    tell();
  };
  map.addEventListener("pointerdown", (event) => { seeking = true; map.setPointerCapture(event.pointerId); seek(event); });
  map.addEventListener("pointermove", (event) => { if (seeking) seek(event); });
  for (const name of ["pointerup", "pointercancel"]) map.addEventListener(name, () => { seeking = false; });

  let begun = false;
  new ResizeObserver(() => {
    wide = canvas.clientWidth;
    high = canvas.clientHeight;
    dense = window.devicePixelRatio || 1;
    canvas.width = Math.round(wide * dense);
    canvas.height = Math.round(high * dense);
    map.style.height = `${clamp(map.clientWidth * sheet.height / sheet.width, 24, 96)}px`;
    map.width = Math.round(map.clientWidth * dense);
    map.height = Math.round(map.clientHeight * dense);
    if (!begun) {
      begun = true;
      view.scale = column();
    }
    settle();
    tell();
  }).observe(canvas);
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
})();
