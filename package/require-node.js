// Plain JavaScript, so that any Node can run it: `npm ci --ignore-scripts` leaves out the Node that this project brings.
const OLDEST = 24;

if (Number(process.versions.node.split(".")[0]) < OLDEST) {
  console.error(
    `This needs Node ${OLDEST}, and found ${process.version}: run "npm rebuild node esbuild --ignore-scripts=false" after "npm ci --ignore-scripts", or install Node ${OLDEST}.`,
  );
  process.exitCode = 1;
}
