import fc from "fast-check";

/** Text of any characters, as that of `fc.string({ unit: "binary" })`, which takes half a second to be made. */
export function anyText(constraints: fc.StringSharedConstraints = {}): fc.Arbitrary<string> {
  const unit = fc
    .oneof(fc.integer({ min: 0, max: 0xd7ff }), fc.integer({ min: 0xe000, max: 0x10ffff }))
    .map((point) => String.fromCodePoint(point));
  return fc.string({ ...constraints, unit });
}
