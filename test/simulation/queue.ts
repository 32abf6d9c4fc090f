/** The work queue of a world: messages are lost, doubled, late and purged, and SQS's counts may be old. */

import type { Random } from "./random.ts";
import type { Universe } from "./universe.ts";

export interface Message {
  readonly body: string;
  /** No worker gets it before this time. */
  readonly dueAt: number;
}

export interface SimulatedQueue {
  readonly messages: Message[];
  /** Messages that a worker has. */
  inFlight: number;
  /** What becomes of a message that SQS has accepted. */
  accept(body: string): void;
  /** What SQS says about whether it is empty. */
  isEmpty(): boolean;
  purge(): void;
}

export function createQueue(universe: Universe, random: Random): SimulatedQueue {
  const messages: Message[] = [];
  const queue: SimulatedQueue = {
    messages,
    inFlight: 0,
    accept(body) {
      const fate = random.pick([
        "there",
        "there",
        "there",
        "there",
        "lost",
        "doubled",
        "late",
        "late and doubled",
      ] as const);
      universe.note({ type: "message", is: fate });
      if (fate === "lost") return;
      const delay = fate.startsWith("late") ? random.integer(1_000, 60_000) : random.integer(0, 200);
      messages.push({ body, dueAt: universe.now() + delay });
      if (fate.endsWith("doubled")) messages.push({ body, dueAt: universe.now() + random.integer(0, 30_000) });
    },
    // SQS counts late: sometimes it does not know a message yet.
    isEmpty: () => messages.length + queue.inFlight === 0 || random.chance(0.1),
    purge() {
      messages.length = 0;
      universe.note({ type: "message", is: "purged" });
    },
  };
  return queue;
}
