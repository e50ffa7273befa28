/** One conversation: a stream of frames, what was said on it, and where it is. */
import { signal } from "@preact/signals";

import { ask, at, key, makeMotion, Problem, type Job, type ProblemDocument } from "../api";
import { unpacked, type Frame, type Skeleton } from "./frames";

export type Connection = "none" | "opening" | "open" | "lost";

/** One motion of the conversation. */
export interface Said {
  readonly mark: string;
  readonly prompt: string;
  readonly job: string | null;
  readonly state: "asked" | "making" | "joined" | "failed";
  /** 0 to 1, while it is made. */
  readonly progress: number;
  /** Seconds of the film at which it begins. */
  readonly from: number;
  readonly error: unknown;
}

export interface Standing {
  readonly playing: boolean;
  readonly time: number;
  readonly speed: number;
  readonly loop: boolean;
  readonly first: number;
  readonly end: number;
}

const RESTING: Standing = { playing: true, time: 0, speed: 1, loop: false, first: 0, end: 0 };

interface Message {
  readonly type: string;
  readonly id?: string;
  readonly job: string;
  readonly prompt: string;
  readonly progress: number;
  readonly from: number;
  readonly to: number;
  readonly time: number;
  readonly problem: ProblemDocument;
}

export class Conversation {
  readonly connection = signal<Connection>("none");
  readonly said = signal<readonly Said[]>([]);
  readonly standing = signal<Standing>(RESTING);
  readonly skeleton = signal<Skeleton | null>(null);
  /** Called with each frame. */
  shown: ((frame: Frame) => void) | null = null;
  private socket: WebSocket | null = null;
  private marks = 0;

  /** Let a motion follow, or begin with it. */
  async say(prompt: string, duration: number): Promise<void> {
    const mark = this.add(prompt);
    if (this.connection.value === "open") {
      this.tell("next", { id: mark, prompt, duration });
      return;
    }
    await this.make(mark, prompt, duration);
    if (this.connection.value === "none") this.open();
  }

  /** Begin with what a job has made or makes. */
  async begin(id: string): Promise<void> {
    const mark = this.add("");
    try {
      const job = await ask<Job>(`/v1/jobs/${encodeURIComponent(id)}`);
      const { prompt } = job.request as { prompt?: string };
      this.change(mark, { job: job.id, prompt: prompt ?? job.id, state: "making" });
    } catch (error) {
      this.change(mark, { state: "failed", error });
      return;
    }
    this.open();
  }

  /** Open the stream, with everything that was said and did not fail. */
  open(): void {
    const [first] = this.standingIn();
    if (!first?.job) return;
    this.close();
    const address = new URL(at(`/v1/live/${first.job}`));
    address.protocol = address.protocol.replace("http", "ws");
    const protocols = ["kinesphere.live.v1.binary"];
    if (key.value !== null) protocols.push(`bearer.${key.value}`);
    const socket = new WebSocket(address, protocols);
    socket.binaryType = "arraybuffer";
    socket.onopen = () => {
      this.connection.value = "open";
      for (const each of this.standingIn())
        if (each.mark !== first.mark) this.tell("next", { id: each.mark, job: each.job });
    };
    socket.onmessage = ({ data }: MessageEvent<string | ArrayBuffer>) => {
      if (typeof data === "string") this.heard(JSON.parse(data) as Message, first.mark);
      else this.draw(unpacked(data));
    };
    socket.onclose = () => {
      if (this.socket === socket) this.connection.value = "lost";
    };
    this.socket = socket;
    this.connection.value = "opening";
    this.standing.value = { ...RESTING, loop: this.standing.value.loop };
  }

  tell(type: string, values: Readonly<Record<string, unknown>> = {}): void {
    if (this.socket?.readyState === WebSocket.OPEN)
      this.socket.send(JSON.stringify({ type, ...values }));
  }

  close(): void {
    const { socket } = this;
    this.socket = null;
    socket?.close(1000);
    this.connection.value = "none";
  }

  private async make(mark: string, prompt: string, duration: number): Promise<void> {
    try {
      const job = await makeMotion({ prompt, duration });
      this.change(mark, { job: job.id, state: "making" });
      if (this.connection.value === "open") this.tell("next", { id: mark, job: job.id });
    } catch (error) {
      this.change(mark, { state: "failed", error });
    }
  }

  /** What was said, is known to the server and did not fail. */
  private standingIn(): readonly Said[] {
    return this.said.value.filter((each) => each.job !== null && each.state !== "failed");
  }

  private draw(frame: Frame | null): void {
    if (frame === null) return;
    this.standing.value = { ...this.standing.value, time: frame.time };
    this.shown?.(frame);
  }

  private heard(message: Message, first: string): void {
    const mark = message.id ?? first;
    switch (message.type) {
      case "skeleton":
        this.skeleton.value = message as unknown as Skeleton;
        break;
      case "state":
        this.standing.value = message as unknown as Standing;
        break;
      case "accepted":
        this.change(mark, { job: message.job, state: "making" });
        break;
      case "waiting":
        this.change(mark, { state: "making", progress: message.progress });
        break;
      case "motion":
        this.change(mark, { job: message.job, state: "joined", from: message.from });
        this.standing.value = { ...this.standing.value, end: message.to };
        break;
      case "problem": {
        const { problem } = message;
        this.change(mark, { state: "failed", error: new Problem(problem.status, problem, null) });
        break;
      }
    }
  }

  private add(prompt: string): string {
    this.marks += 1;
    const mark = `m${this.marks}`;
    const fresh: Said = {
      mark, prompt, job: null, state: "asked", progress: 0, from: 0, error: undefined,
    };
    this.said.value = [...this.said.value, fresh];
    return mark;
  }

  private change(mark: string, news: Partial<Said>): void {
    this.said.value = this.said.value.map((each) =>
      each.mark === mark ? { ...each, ...news } : each,
    );
  }
}
