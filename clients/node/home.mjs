// What the checks that run on Node share: arguments, counting, throw-away homes, servers. Their homes are made by clients/home.py.

import { spawn, spawnSync } from 'node:child_process';
import { createServer } from 'node:http';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';

/** Milliseconds in which any one command of Casemate has to end, and a server to listen. */
const COMMAND = 180_000;
const LISTENS = 30_000;

/** The arguments that every check takes; `more` are its own. */
export function options(more = {}) {
  const { values } = parseArgs({
    options: {
      root: { type: 'string' },
      casemate: { type: 'string' },
      component: { type: 'string', multiple: true, default: [] },
      prepared: { type: 'string' },
      ...more,
    },
  });
  values.casemate = resolve(values.casemate ?? join(values.root, 'target/release/casemate'));
  values.calls = JSON.parse(readFileSync(join(values.root, 'clients/calls.json'), 'utf8'));
  return values;
}

/** Counts, and prints each check as it is made. */
export class Checks {
  passed = 0;
  failed = 0;
  section = '';

  check(name, held, seen) {
    if (held) {
      this.passed += 1;
      console.log(`ok    ${this.section}: ${name}`);
    } else {
      this.failed += 1;
      const shown = seen === undefined ? '' : `: ${typeof seen === 'string' ? seen : JSON.stringify(seen)}`;
      console.log(`FAIL  ${this.section}: ${name}${shown}`.slice(0, 2000));
    }
    return Boolean(held);
  }

  /** Runs `action`; whatever goes wrong in it is a failed check, and so is taking longer than `seconds`. */
  async attempt(what, seconds, action) {
    let timer;
    const late = new Promise((_, reject) => {
      timer = setTimeout(() => reject(new Error(`it takes longer than ${seconds} s`)), seconds * 1000);
    });
    try {
      await Promise.race([action(), late]);
    } catch (error) {
      this.check(what, false, `${error?.stack ?? error}`);
    } finally {
      clearTimeout(timer);
    }
  }

  /** Prints the last line and ends the process. */
  end(more = '') {
    console.log(`${this.passed} passed, ${this.failed} failed${more}`);
    process.exit(this.failed === 0 && this.passed > 0 ? 0 : 1);
  }
}

/** Folders and processes of this run, which end with it however it ends. */
const folders = new Set();
const servers = new Set();
process.on('exit', () => {
  for (const server of servers) server.kill('SIGKILL');
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => process.exit(1));

export function scratch(name) {
  const folder = mkdtempSync(join(tmpdir(), `casemate-${name}-`));
  folders.add(folder);
  return folder;
}

/** A folder with a home that has the examples, the fixture and what was named: the one given, or a new one. */
export function prepared(chosen) {
  if (chosen.prepared !== undefined) return resolve(chosen.prepared);
  const folder = join(scratch('prepared'), 'prepared');
  const words = ['--casemate', chosen.casemate, ...chosen.component.flatMap((each) => ['--component', each]), folder];
  const made = spawnSync('python3', [join(chosen.root, 'clients/home.py'), ...words], { encoding: 'utf8', timeout: COMMAND });
  if (made.status !== 0) throw new Error(`the components are not installed: ${made.error ?? made.stderr}`);
  return folder;
}

/** A copy of a prepared home, and a workspace with the files of the calls. */
export class Setup {
  constructor(chosen, from) {
    this.binary = chosen.casemate;
    this.table = chosen.calls.components;
    this.components = JSON.parse(readFileSync(join(from, 'components.json'), 'utf8'));
    this.place = scratch('client');
    this.home = join(this.place, 'home');
    cpSync(join(from, 'home'), this.home, { recursive: true });
    this.workspace = join(this.place, 'workspace');
    for (const [name, text] of Object.entries(chosen.calls.files)) {
      const file = join(this.workspace, name);
      mkdirSync(dirname(file), { recursive: true });
      writeFileSync(file, text);
    }
  }

  /** Nothing of the caller's own home is looked at. */
  environment() {
    return { PATH: process.env.PATH ?? '', HOME: this.place, CASEMATE_HOME: this.home };
  }

  casemate(...words) {
    return spawnSync(this.binary, words, {
      encoding: 'utf8',
      env: this.environment(),
      cwd: this.place,
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: COMMAND,
    });
  }

  /** Lets each component whose calls name the pages reach them, as a person who edits its policy would. */
  letReach(pages) {
    const { hostname, port } = new URL(pages);
    for (const name of this.components) {
      if (!JSON.stringify(this.table[name]).includes('{pages}')) continue;
      const policy = join(this.home, 'policies', `${name}.yaml`);
      const section = '  network:\n    allow:\n';
      const text = readFileSync(policy, 'utf8');
      if (!text.includes(section)) throw new Error(`${name} has no rules for the network to add one to`);
      writeFileSync(policy, text.replace(section, `${section}      - { host: "${hostname}", schemes: [http], ports: [${port}] }\n`));
    }
  }

  /** The calls of each installed component, where `pages` is the address of the pages. */
  calls(pages) {
    const installed = Object.fromEntries(this.components.map((name) => [name, this.table[name]]));
    return JSON.parse(JSON.stringify(installed).replaceAll('{pages}', pages));
  }

  /** The arguments of a server on standard input and output. */
  serve() {
    return ['serve', '--workspace', this.workspace];
  }

  /** The records of calls. */
  records() {
    const file = join(this.home, 'audit', 'calls.jsonl');
    if (!existsSync(file)) return [];
    return readFileSync(file, 'utf8')
      .split('\n')
      .slice(0, -1)
      .map((line) => JSON.parse(line));
  }

  remove() {
    rmSync(this.place, { recursive: true, force: true });
    folders.delete(this.place);
  }
}

/** Starts a server on loopback that gives the pages of the calls, which ends with the process; returns its address. */
export async function pages(chosen) {
  const server = createServer((request, response) => {
    const page = chosen.calls.pages[request.url];
    response.writeHead(page ? 200 : 404, { 'Content-Type': page?.type ?? 'text/plain' }).end(page?.body ?? 'no such page');
  });
  await new Promise((ready) => server.listen(0, '127.0.0.1', ready));
  server.unref();
  return `http://127.0.0.1:${server.address().port}`;
}

/** Starts `casemate serve --http` on a port of the kernel's choice; returns its address and its end. */
export async function listening(setup) {
  const server = spawn(setup.binary, [...setup.serve(), '--http', '127.0.0.1:0'], {
    env: setup.environment(),
    cwd: setup.place,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  servers.add(server);
  const said = [];
  const ended = new Promise((done) => server.once('exit', done));
  const address = new Promise((found, lost) => {
    createInterface({ input: server.stderr })
      .on('line', (line) => {
        said.push(line);
        const place = /serving MCP at (\S+)/.exec(line);
        if (place) found(place[1]);
      })
      .on('close', () => lost(new Error(`the server ended: ${said.join('\n').slice(-1000)}`)));
    setTimeout(() => lost(new Error('the server does not say where it listens')), LISTENS).unref();
  });
  const stop = async () => {
    server.kill('SIGKILL');
    servers.delete(server);
    await ended;
  };
  try {
    return { address: await address, process: server, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** What a JSON Pointer names. */
export function at(value, pointer) {
  return pointer
    .split('/')
    .slice(1)
    .reduce((inner, key) => (inner === null || inner === undefined ? undefined : inner[key]), value);
}

/** What of a call's `equals` and `contains` does not hold for its structured result. */
export function faults(wanted, value) {
  const found = [];
  for (const [pointer, right] of Object.entries(wanted.equals ?? {})) {
    if (at(value, pointer) !== right) found.push([pointer, at(value, pointer), right]);
  }
  for (const [pointer, part] of Object.entries(wanted.contains ?? {})) {
    if (!String(at(value, pointer)).includes(part)) found.push([pointer, at(value, pointer), part]);
  }
  return found;
}

/** Waits for something that another process does; tells whether it came about. */
export async function until(condition, milliseconds) {
  const end = Date.now() + milliseconds;
  while (!(await condition())) {
    if (Date.now() > end) return false;
    await new Promise((again) => setTimeout(again, 20));
  }
  return true;
}

/** Seconds of processor time that the children of this process have used. */
export function computed() {
  let ticks = 0;
  for (const thread of readdirSync('/proc/self/task')) {
    for (const child of readFileSync(`/proc/self/task/${thread}/children`, 'utf8').split(' ').filter(Boolean)) {
      try {
        const fields = readFileSync(`/proc/${child}/stat`, 'utf8').split(')').at(-1).trim().split(' ');
        ticks += Number(fields[11]) + Number(fields[12]);
      } catch {
        // It ended in between.
      }
    }
  }
  return ticks / 100;
}
