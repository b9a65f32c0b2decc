/** Short notes of what has happened, some of which can be answered. */

import { strings } from "./strings";

const SHOWN_MS = 6000;
const COUNT_MAX = 4;

export interface Answer {
  label: string;
  run(): void;
}

export interface Toast {
  id: number;
  text: string;
  isProblem: boolean;
  answer: Answer | null;
}

export class Toasts {
  list: Toast[] = [];
  private next = 1;

  constructor(private readonly changed: () => void) {}

  show(text: string, answer: Answer | null = null, ms = SHOWN_MS): void {
    this.add({ text, answer, isProblem: false }, ms);
  }

  problem(error: unknown): void {
    const told = error instanceof Error ? error.message : String(error);
    this.add({ text: strings.failed(told), answer: null, isProblem: true }, SHOWN_MS * 1.5);
  }

  answer(toast: Toast): void {
    this.dismiss(toast.id);
    toast.answer?.run();
  }

  dismiss(id: number): void {
    this.list = this.list.filter((toast) => toast.id !== id);
    this.changed();
  }

  private add(toast: Omit<Toast, "id">, ms: number): void {
    const id = this.next++;
    // The same again is no news.
    const others = this.list.filter(({ text }) => text !== toast.text);
    this.list = [...others, { ...toast, id }].slice(-COUNT_MAX);
    setTimeout(() => this.dismiss(id), ms);
    this.changed();
  }
}
