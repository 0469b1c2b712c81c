// The dots of the map, drawn by WebGL.

const VERTEX = `#version 300 es
in vec2 place;
in vec4 colour;
uniform vec2 scale, shift;
uniform float size;
out vec4 paint;
void main() {
  gl_Position = vec4(place * scale + shift, 0.0, 1.0);
  gl_PointSize = colour.a > 0.9 ? size * 1.5 : size;
  paint = colour;
}`;
const FRAGMENT = `#version 300 es
precision mediump float;
in vec4 paint;
out vec4 pixel;
void main() {
  float edge = 1.0 - smoothstep(0.8, 1.0, 2.0 * length(gl_PointCoord - 0.5));
  pixel = vec4(paint.rgb, 1.0) * paint.a * edge;
}`;
const [SMALLEST, LARGEST] = [2, 14]; // pixels of a dot

export class Dots {
  #gl;
  #uniforms;
  #made; // what the graphics card has to forget
  #order; // in which they are drawn: at random, so that the first of them stand for all

  /**
   * @param {WebGL2RenderingContext} gl
   * @param {Float32Array} points x and y of each dot, in turn
   */
  constructor(gl, points) {
    this.#gl = gl;
    this.#order = shuffled(points.length / 2);
    const program = linked(gl);
    const place = (name) => [name, gl.getUniformLocation(program, name)];
    this.#uniforms = Object.fromEntries(["scale", "shift", "size"].map(place));
    const buffers = [gl.createBuffer(), gl.createBuffer()];
    this.#made = { program, buffers };
    gl.bindBuffer(gl.ARRAY_BUFFER, buffers[0]);
    gl.bufferData(gl.ARRAY_BUFFER, this.#ordered(points, 2), gl.STATIC_DRAW);
    attribute(gl, program, "place", 2, gl.FLOAT);
    gl.bindBuffer(gl.ARRAY_BUFFER, buffers[1]);
    attribute(gl, program, "colour", 4, gl.UNSIGNED_BYTE);
    gl.enable(gl.BLEND);
    gl.blendFunc(gl.ONE, gl.ONE_MINUS_SRC_ALPHA); // colours come multiplied by their alpha
  }

  /** Give back what the graphics card has of them. */
  end() {
    this.#gl.deleteProgram(this.#made.program);
    for (const buffer of this.#made.buffers) this.#gl.deleteBuffer(buffer);
  }

  /** @param {Uint32Array} colours of each dot, as bytes red, green, blue, alpha */
  set colours(colours) {
    const { ARRAY_BUFFER, DYNAMIC_DRAW } = this.#gl; // the buffer bound last is that of colours
    this.#gl.bufferData(ARRAY_BUFFER, this.#ordered(colours), DYNAMIC_DRAW);
  }

  /** Values, one or several of each dot, in the order in which dots are drawn. */
  #ordered(values, each = 1) {
    const ordered = values.slice();
    this.#order.forEach((dot, place) => {
      for (let i = 0; i < each; i++) ordered[each * place + i] = values[each * dot + i];
    });
    return ordered;
  }

  /**
   * @param {import("./camera.js").Frame} frame
   * @param {number} zoom the camera's scale
   * @param {number} most dots to draw, a fair sample if they are fewer than all
   */
  draw(frame, zoom, most) {
    const gl = this.#gl;
    const { width, height, unit, x, y } = frame;
    const ratio = devicePixelRatio || 1;
    resize(gl.canvas, Math.round(width * ratio), Math.round(height * ratio));
    gl.viewport(0, 0, gl.canvas.width, gl.canvas.height);
    gl.clear(gl.COLOR_BUFFER_BIT);
    const scale = [(2 * unit) / width, (2 * unit) / height];
    gl.uniform2f(this.#uniforms.scale, ...scale);
    gl.uniform2f(this.#uniforms.shift, -x * scale[0], -y * scale[1]);
    gl.uniform1f(this.#uniforms.size, this.#size(zoom) * ratio);
    gl.drawArrays(gl.POINTS, 0, most);
  }

  /** Pixels of a dot: many are small, and they grow more slowly than the map. */
  #size(zoom) {
    const size = 360 * Math.sqrt(zoom / this.#order.length);
    return Math.max(SMALLEST, Math.min(LARGEST, size));
  }
}

/** Numbers up to one, in random order. */
function shuffled(count) {
  const order = new Uint32Array(count);
  for (let i = 0; i < count; i++) {
    const other = Math.floor(Math.random() * (i + 1));
    order[i] = order[other];
    order[other] = i;
  }
  return order;
}

function linked(gl) {
  const program = gl.createProgram();
  for (const [kind, source] of [[gl.VERTEX_SHADER, VERTEX], [gl.FRAGMENT_SHADER, FRAGMENT]]) {
    const shader = gl.createShader(kind);
    gl.shaderSource(shader, source);
    gl.compileShader(shader);
    gl.attachShader(program, shader);
  }
  gl.linkProgram(program);
  gl.useProgram(program);
  return program;
}

/** Let an attribute take its values from the buffer that is bound. */
function attribute(gl, program, name, size, type) {
  const at = gl.getAttribLocation(program, name);
  gl.enableVertexAttribArray(at);
  gl.vertexAttribPointer(at, size, type, type === gl.UNSIGNED_BYTE, 0, 0);
}

function resize(canvas, width, height) {
  if (canvas.width === width && canvas.height === height) return;
  [canvas.width, canvas.height] = [width, height];
}
