/** Emulators whose gaps we know. */
export type EmulatorName = "moto" | "ministack" | "localstack";

/** A rule that an emulator does not keep: `fails` always does, `varies` not always. */
export interface Gap {
  readonly outcome: "fails" | "varies";
  readonly reason: string;
}

type Gaps = Readonly<Record<string, Gap>>;

/** By emulator and contract: the rules' names, word for word, and why they fail. */
export const knownGaps: Readonly<Record<EmulatorName, { readonly s3: Gaps; readonly eventBridge: Gaps }>> = {
  moto: { s3: {}, eventBridge: {} },
  ministack: { s3: {}, eventBridge: {} },
  localstack: { s3: {}, eventBridge: {} },
};
