// Unpacking: what packing.py and columns.py made small becomes typed arrays again.
// Knows the order of the bytes. Does not know what the columns mean: see layers.js.

// Text to bytes to text: base64, then RFC 1951.
async function inflated(block) {
  const text = atob(block.textContent.trim());
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate-raw"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

async function inflatedJson(block) {
  return JSON.parse(new TextDecoder().decode(await inflated(block)));
}

// One column after another out of one run of bytes. Doubles are exact up to 2^53, and no position is larger.
// Plain loops: a column may have a million numbers, and a call for each would be most of the time.
class Planes {
  constructor(bytes) {
    this.bytes = bytes;
    this.offset = 0;
  }

  next(count, width) {
    return width > 4 ? this.wide(count, width) : this.narrow(count, width);
  }

  // Zigzag: 0, 1, 2, 3 … were 0, -1, 1, -2 …
  narrow(count, width) {
    const packed = new Uint32Array(count);
    for (let plane = 0; plane < width; plane++) {
      const { bytes, offset } = this;
      for (let i = 0; i < count; i++) packed[i] |= bytes[offset + i] << (8 * plane);
      this.offset += count;
    }
    const numbers = new Float64Array(count);
    for (let i = 0; i < count; i++) numbers[i] = (packed[i] >>> 1) ^ -(packed[i] & 1);
    return numbers;
  }

  wide(count, width) {
    const numbers = new Float64Array(count);
    for (let plane = 0, factor = 1; plane < width; plane++, factor *= 256) {
      for (let i = 0; i < count; i++) numbers[i] += this.bytes[this.offset + i] * factor;
      this.offset += count;
    }
    for (let i = 0; i < count; i++) numbers[i] = numbers[i] % 2 ? -(numbers[i] + 1) / 2 : numbers[i] / 2;
    return numbers;
  }
}

function added(steps, from = 0, to = steps.length) {
  for (let i = from + 1; i < to; i++) steps[i] += steps[i - 1];
  return steps;
}

// In the order of columns.py.
async function columnsOf(facts, block) {
  const planes = new Planes(await inflated(block));
  const read = (name, count) => planes.next(count, facts.widths[name]);
  const { rows, fromClient, sacks } = facts;
  const at = read("at", rows);
  if (rows) at[0] += facts.startUs;
  added(at);
  const frame = added(read("frame", rows));
  const capture = Uint8Array.from(read("capture", rows));
  const direction = Uint8Array.from(read("direction", rows));
  const length = read("length", rows);
  const pos = landed(read("pos", rows), length, fromClient);
  const ack = addedApart(read("ack", rows), fromClient);
  const window = addedApart(read("window", rows), fromClient);
  const marks = Uint16Array.from(read("marks", rows));
  const order = rowsByDirection(direction, fromClient);
  const together = (column) => joined(column, order);
  return {
    at,
    frame,
    capture,
    direction,
    length: together(length),
    pos: together(pos),
    ack: together(ack),
    window: together(window),
    marks: together(marks),
    sackRow: added(read("sackRow", sacks)),
    sackLeft: added(read("sackLeft", sacks)),
    sackLength: read("sackLength", sacks),
  };
}

function addedApart(steps, fromClient) {
  added(steps, 0, fromClient);
  return added(steps, fromClient, steps.length);
}

// A jump counts from the end of the segment before.
function landed(jumps, length, fromClient) {
  for (let i = 1; i < jumps.length; i++) {
    if (i !== fromClient) jumps[i] += jumps[i - 1] + length[i - 1];
  }
  return jumps;
}

// Where each row went when the directions were taken apart.
function rowsByDirection(direction, fromClient) {
  const order = new Uint32Array(direction.length);
  let client = 0;
  let headend = fromClient;
  for (let row = 0; row < direction.length; row++) order[row] = direction[row] ? headend++ : client++;
  return order;
}

function joined(column, order) {
  const whole = new column.constructor(column.length);
  for (let row = 0; row < order.length; row++) whole[row] = column[order[row]];
  return whole;
}
