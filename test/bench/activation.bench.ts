/** How long VS Code takes to load and activate the extension, as the editor suite measures it in its extension host. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { node, report, root, scratchFolder } from './measure.ts';

const scratch = scratchFolder();
const file = join(scratch.path, 'activation');
const times: number[] = [];
try {
  for (let round = 0; round < 3; round++) {
    const env = { BASIN_ACTIVATION_FILE: file, BASIN_TEST_GREP: 'activates', BASIN_BUILT: '1' };
    await node([join(root, 'test/harness/editor.mjs')], env);
    times.push(Number(readFileSync(file, 'utf8')));
  }
} finally {
  scratch.remove();
}
console.log('VS Code:');
report('activation of the extension in ms', times, { atMost: 50 });
