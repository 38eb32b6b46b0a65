/** Where a script takes its steps: in folders that are links, and by several optimizers. */
import assert from 'node:assert/strict';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { DebugProtocol } from '@vscode/debugprotocol';
import { needs } from '../../harness/requires.ts';
import { debugging, frameworks, until } from './debugging.ts';
import { stepLine } from './client.ts';

const GAN = `import torch

torch.manual_seed(0)
generator = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.Tanh(), torch.nn.Linear(8, 2))
critic = torch.nn.Linear(2, 1)
of_critic = torch.optim.SGD(critic.parameters(), lr=0.05)
of_generator = torch.optim.SGD(generator.parameters(), lr=0.05)
for step in range(30):
    noise, real = torch.randn(16, 4), torch.randn(16, 2)
    of_critic.zero_grad()
    made = generator(noise)
    critic_loss = (critic(made.detach()) - critic(real)).mean().square()
    critic_loss.backward()
    of_critic.step()
    of_generator.zero_grad()
    generator_loss = critic(made).square().mean()
    generator_loss.backward()
    of_generator.step()
`;
const lineOf = (text: string): number => 1 + GAN.split('\n').findIndex((line) => line.includes(text));

describe('the lines that take steps', function () {
  this.timeout(180_000);
  const on = debugging();

  for (const framework of frameworks)
    it(`bind a breakpoint in a folder that is a link (${framework})`, async function () {
      if (process.platform === 'win32') this.skip();
      if (framework === 'torch') needs(this, 'torch');
      const { root, programs } = on.workspace;
      const link = path.join(root, `link ${framework}`);
      mkdirSync(path.join(root, 'apart'), { recursive: true });
      symlinkSync(root, link);
      const program = path.join(link, path.basename(programs[framework]));
      const breakpoints = [{ line: stepLine[framework], condition: 'step == 3' }];
      const { reason } = await on.client.halt(
        on.client.begin(framework, { launch: { program, root: link }, breakpoints, source: program }),
      );
      assert.equal(reason, 'breakpoint');
      const { stackFrames } = (await on.client.stackTraceRequest({ threadId: 1 })).body;
      assert.equal(stackFrames[0]?.source?.path, program, 'the file as the editor has it');
      await on.client.disconnectRequest({});
    });

  it('name their objective where a script has several, and say at whose steps training can be stopped', async function () {
    needs(this, 'torch');
    const program = path.join(on.workspace.root, 'gan.py');
    writeFileSync(program, GAN);
    const changed = new Map</* line */ number, DebugProtocol.Breakpoint>();
    on.client.on('breakpoint', ({ body: { breakpoint } }: DebugProtocol.BreakpointEvent) => {
      if (breakpoint.line !== undefined) changed.set(breakpoint.line, breakpoint);
    });
    const [first, second] = [lineOf('of_critic.step()'), lineOf('of_generator.step()')];
    await on.client.halt(
      on.client.begin('torch', {
        launch: { program },
        breakpoints: [{ line: first, condition: 'step == 6' }, { line: second }],
        source: program,
      }),
    );
    const frame = async (): Promise<string> =>
      (await on.client.stackTraceRequest({ threadId: 1 })).body.stackFrames[0]?.name ?? '';
    await until(async () => / of critic/.test(await frame()));
    assert.match(await frame(), /^step 6 of critic\w* · loss/);
    await until(() => /takes its steps/.test(changed.get(second)?.message ?? ''));
    assert.match(
      changed.get(second)?.message ?? '',
      new RegExp(
        `^Here generator\\w* takes its steps\\. Training can be stopped at those of critic\\w* alone, at line ${first}\\.$`,
      ),
    );
    assert.equal(changed.get(second)?.verified, false);
    assert.equal(changed.get(first)?.verified, true);
    const { description } = await on.client.back();
    assert.match(
      description ?? '',
      /^Back at the weights of step 6: .* Not put back: .*what the other optimizers/,
    );
    // The generator's loss is under way: its sample was made before this stop.
    await on.client.finish();
    assert.match(on.client.output.join(''), /finished: 30 steps/);
  });
});
