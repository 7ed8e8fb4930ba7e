/**
 * The built program in restricted environments: a user without an entry in /etc/passwd or without a home, a full /tmp, a read-only
 * root, control groups with limits. A test is skipped if this machine does not allow it. Most of them need root on Linux.
 */
import { execFileSync, type SpawnSyncReturns, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, rmdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';

const program = path.resolve('dist/cli/main.js');
const ready = existsSync(program) && existsSync('models/demo/config.json');
const receipt = path.resolve('examples/images/receipt.png');

function works(command: string, ...words: string[]): boolean {
  return spawnSync(command, words).status === 0;
}

const asNobody = ['setpriv', '--reuid=12345', '--regid=12345', '--clear-groups'] as const;
const inNewMounts = ['unshare', '--mount'] as const;
const canBeNobody = ready && works(...asNobody, process.execPath, program, '--version');
const canMount = ready && works(...inNewMounts, 'mount', '-t', 'tmpfs', 'none', '/mnt');

function run(
  words: readonly string[],
  env: Record<string, string> = {},
  input = '',
): SpawnSyncReturns<string> {
  const [command = '', ...rest] = words;
  const fresh = { PATH: process.env.PATH ?? '', ...env };
  return spawnSync(command, rest, { env: fresh, input, encoding: 'utf8', timeout: 50_000 });
}

describe.skipIf(!canBeNobody)('a user id without an entry in /etc/passwd', () => {
  const cogvlm2 = (words: readonly string[], env: Record<string, string> = {}, input = '') =>
    run([...asNobody, process.execPath, program, ...words], env, input);

  it.each<Record<string, string>>([{}, { HOME: '' }, { HOME: '/root' }, { HOME: '/nonexistent' }])(
    'with the environment %j: models, doctor and chat work',
    (env) => {
      const models = cogvlm2(['models'], env);
      expect(models).toMatchObject({ status: 0, stderr: '' });
      expect(models.stdout).toContain('demo');
      const doctor = cogvlm2(['doctor'], env);
      expect(doctor).toMatchObject({ status: 0, stderr: '' });
      const chat = cogvlm2(['chat', '-q'], env, 'What is a receipt?\n/bye\n');
      expect(chat).toMatchObject({ status: 0, stderr: '' });
    },
  );

  it('pull requires a folder, and uses it', () => {
    const pull = cogvlm2(['pull', 'hf:me/demo', '--offline']);
    expect(pull.status).toBe(7);
    expect(pull.stderr).toMatch(/^cogvlm2: This user has no home folder, .* Set HF_HOME/);
    expect(cogvlm2(['pull', 'hf:me/demo', '--offline'], { HF_HOME: '/nonexistent' }).stderr).toMatch(
      /^cogvlm2: .*me\/demo/,
    );
  });

  it('an output without write permission gives one sentence', () => {
    const batch = cogvlm2(['batch', receipt, '--question', 'What is the total?', '-q', '-o', '/a.jsonl']);
    expect(batch).toMatchObject({ status: 7, stdout: '' });
    expect(batch.stderr).toMatch(/^cogvlm2: \/a\.jsonl.*: permission denied[^\n]*\n$/);
  });
});

describe.skipIf(!canMount)('mounts', () => {
  const answers = (script: string) => {
    const ask = `exec "$0" "$1" ask -q "$2" "What is the total?"`;
    const done = run([
      ...inNewMounts,
      'sh',
      '-c',
      `set -e; ${script}; ${ask}`,
      process.execPath,
      program,
      receipt,
    ]);
    expect(done).toMatchObject({ status: 0, stderr: '' });
    expect(done.stdout.trim()).not.toBe('');
  };

  // Not on /tmp itself, because the project may be there.
  it('ask works with a full folder of temporary files', () => {
    const mount =
      'mount -t tmpfs -o size=4k none /mnt; dd if=/dev/zero of=/mnt/full bs=4k 2>/dev/null || true';
    answers(`${mount}; export TMPDIR=/mnt`);
  });

  it('ask works on a read-only root', () => {
    answers('mount -o remount,ro,bind /; ! touch /cogvlm2-test 2>/dev/null');
  });

  it('chat works with a read-only home', () => {
    const script = 'mount -t tmpfs none /mnt; mount -o remount,ro /mnt; HOME=/mnt "$0" "$1" chat -q';
    const chat = run([...inNewMounts, 'sh', '-c', script, process.execPath, program], {}, '/bye\n');
    expect(chat).toMatchObject({ status: 0, stderr: '' });
  });
});

/** Makes a control group (version 1 or 2), if this process is allowed to. */
function madeGroup(controller: 'memory' | 'cpu', limits: Record<string, string>): string | undefined {
  for (const [mount, files] of [
    [`/sys/fs/cgroup/${controller}`, Object.entries(limits).filter(([name]) => !/\.max$/.test(name))],
    ['/sys/fs/cgroup', Object.entries(limits).filter(([name]) => /\.max$/.test(name))],
  ] as const) {
    if (!existsSync(path.join(mount, 'cgroup.procs'))) continue;
    const group = path.join(mount, `cogvlm2-test-${process.pid}`);
    try {
      mkdirSync(group);
      for (const [name, value] of files) writeFileSync(path.join(group, name), value);
      return group;
    } catch {
      if (existsSync(group)) rmdirSync(group);
    }
  }
  return undefined;
}

function inGroup(group: string, words: readonly string[]): SpawnSyncReturns<string> {
  const script = 'echo $$ > "$0/cgroup.procs"; exec "$@"';
  return run(['sh', '-c', script, group, process.execPath, program, ...words]);
}

function removeGroup(group: string): void {
  for (let attempt = 0; existsSync(group) && attempt < 50; attempt++) {
    try {
      rmdirSync(group);
    } catch {
      execFileSync('sleep', ['0.1']);
    }
  }
}

describe.skipIf(!ready)('a container', () => {
  it('with too little memory for the model is refused by plan and by ask', ({ skip }) => {
    const limit = String(80 * 2 ** 20);
    const group = madeGroup('memory', { 'memory.limit_in_bytes': limit, 'memory.max': limit });
    if (group === undefined) return skip('this process may not make control groups');
    try {
      const plan = inGroup(group, ['plan']);
      expect(plan.status).toBe(6);
      expect(plan.stderr).toMatch(/This needs .* of memory/);
      expect(inGroup(group, ['ask', '-q', receipt, 'What is the total?'])).toMatchObject({
        status: 6,
        stdout: '',
      });
    } finally {
      removeGroup(group);
    }
  });

  it('with a quota of one processor uses one thread', ({ skip }) => {
    const group = madeGroup('cpu', {
      'cpu.cfs_quota_us': '100000',
      'cpu.cfs_period_us': '100000',
      'cpu.max': '100000 100000',
    });
    if (group === undefined) return skip('this process may not make control groups');
    try {
      const doctor = JSON.parse(inGroup(group, ['doctor', '--json']).stdout);
      expect(doctor.cores).toBe(1);
    } finally {
      removeGroup(group);
    }
  });
});
