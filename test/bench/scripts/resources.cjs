// Preloaded with --require: at its end a process tells what it read and how much memory it took at most, on Linux.
const { readFileSync, writeFileSync } = require('node:fs');
process.on('exit', () => {
  const [, read] = /^rchar: (\d+)/m.exec(readFileSync('/proc/self/io', 'utf8'));
  const peakBytes = 1024 * process.resourceUsage().maxRSS;
  writeFileSync(process.env.BENCH_RESOURCES, JSON.stringify({ readBytes: Number(read), peakBytes }));
});
