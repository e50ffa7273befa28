/** A live stream of Kinesphere: frames as they come, joints in the world, and commands. */

const FRAME_BYTES = 28;

export class LiveStream {
  /**
   * @param {string} server Address such as http://127.0.0.1:8000.
   * @param {string} job Id of the job whose motion is played first.
   * @param {{key?: string, onFrame: Function, onMessage?: Function, onEnd?: Function}} options
   */
  constructor(server, job, options) {
    const address = new URL(`v1/live/${encodeURIComponent(job)}`, server.replace(/\/*$/, "/"));
    address.protocol = address.protocol.replace("http", "ws");
    // A page cannot set headers here, so the key goes along as a subprotocol; never in the address.
    const protocols = ["kinesphere.live.v1.binary"];
    if (options.key) protocols.push(`bearer.${options.key}`);
    this.skeleton = null;
    this.socket = new WebSocket(address, protocols);
    this.socket.binaryType = "arraybuffer";
    this.socket.onmessage = ({ data }) => this.#heard(data, options);
    this.socket.onclose = ({ code }) => options.onEnd?.(code);
  }

  say(type, values = {}) {
    this.socket.send(JSON.stringify({ type, ...values }));
  }

  close() {
    this.socket.close(1000);
  }

  #heard(data, options) {
    if (typeof data === "string") {
      const message = JSON.parse(data);
      if (message.type === "skeleton") this.skeleton = message;
      options.onMessage?.(message);
      return;
    }
    const view = new DataView(data);
    if (view.getUint8(0) !== 1 || view.getUint8(1) !== 1) return;
    const time = view.getFloat64(8, true);
    const numbers = Array.from({ length: (data.byteLength - 16) / 4 }, (_, each) =>
      view.getFloat32(16 + 4 * each, true),
    );
    const frame = { number: view.getUint32(4, true), time, root: numbers.slice(0, 3) };
    frame.turns = numbers.slice((FRAME_BYTES - 16) / 4);
    options.onFrame(frame, this.skeleton);
  }
}

/** Where the joints are in the world: [x, y, z] in metres for each. */
export function joints(frame, skeleton) {
  const places = [];
  const turns = [];
  skeleton.parents.forEach((parent, joint) => {
    const local = frame.turns.slice(4 * joint, 4 * joint + 4);
    if (parent < 0) {
      places.push(frame.root);
      turns.push(local);
      return;
    }
    const way = rotated(turns[parent], skeleton.offsets[joint]);
    places.push(way.map((value, axis) => value + places[parent][axis]));
    turns.push(product(turns[parent], local));
  });
  return places;
}

function product([ax, ay, az, aw], [bx, by, bz, bw]) {
  return [
    aw * bx + ax * bw + ay * bz - az * by,
    aw * by - ax * bz + ay * bw + az * bx,
    aw * bz + ax * by - ay * bx + az * bw,
    aw * bw - ax * bx - ay * by - az * bz,
  ];
}

function rotated([x, y, z, w], [vx, vy, vz]) {
  const [tx, ty, tz] = [2 * (y * vz - z * vy), 2 * (z * vx - x * vz), 2 * (x * vy - y * vx)];
  return [
    vx + w * tx + y * tz - z * ty,
    vy + w * ty + z * tx - x * tz,
    vz + w * tz + x * ty - y * tx,
  ];
}
