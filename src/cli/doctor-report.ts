/** The report of `doctor`. It never throws: a part that fails is reported with its reason. */
import os from 'node:os';
import { resolve } from 'node:path';
import { CogVLM2Error } from '../errors.ts';
import { packageDirectory, packageVersion, stateDirectory } from '../files/folders.ts';
import { abandonedFolders } from '../files/temporary-folder.ts';
import { abandonedPartials } from '../files/writing.ts';
import { availableMemoryBytes, availableThreads, totalMemoryBytes } from '../ggml/machine.ts';
import { variantNames } from '../kernels/variants.ts';
import { nearest } from '../messages.ts';
import type { Context } from './command.ts';
import { failureOf } from './exit-codes.ts';
import { formatBytes, renderTable } from './format.ts';
import type { Device, FoundModel, KernelsInfo, LibraryInfo } from './library-calls.ts';

/** A working part, or the reason why it does not work. */
type Found<T> = { value: T } | { problem: string };

export interface DoctorReport {
  version: string;
  node: string;
  platform: string;
  cpu: string;
  cores: number;
  memory: { totalBytes: number; freeBytes: number };
  libraries: Found<LibraryInfo>;
  devices: Found<Device[]>;
  kernels: Found<KernelsInfo>;
  packedTypes: Found<string[]>;
  models: Found<FoundModel[]>;
  /** Directory of the image cache on disk. */
  imageCache: Found<string>;
  /** Whether video files can be read. */
  hasFfmpeg: boolean;
  /** What killed processes left: partial files in the current and the models directory, and temporary folders. */
  partialFiles: string[];
  paths: { package: string; models: string; state: string | null };
  /** The COGVLM2_* variables that are set. */
  settings: Record<string, string>;
  /** Unknown variables that begin with COGVLM2_. */
  unknownSettings: { name: string; didYouMean: string | null }[];
}

export async function examine(
  { terminal: { env }, library }: Context,
  knownVariables: Iterable<string>,
): Promise<DoctorReport> {
  const known = new Set(knownVariables);
  const settings = Object.fromEntries(
    Object.entries(env).filter(
      (entry): entry is [string, string] => /^COGVLM2_/.test(entry[0]) && !!entry[1],
    ),
  );
  const unknown = Object.keys(settings).filter((name) => !known.has(name));
  return {
    version: packageVersion(),
    node: process.version,
    platform: `${process.platform} ${process.arch}, ${os.type()} ${os.release()}`,
    cpu: os.cpus()[0]?.model.trim() ?? 'unknown',
    cores: availableThreads(),
    memory: { totalBytes: totalMemoryBytes(), freeBytes: availableMemoryBytes() },
    libraries: await attempt(() => library.libraryInfo()),
    devices: await attempt(() => library.listDevices()),
    kernels: await attempt(() => library.kernelsInfo()),
    packedTypes: await attempt(() => library.packedTypes()),
    models: await attempt(() => library.listModels()),
    imageCache: await attempt(async () => {
      const found = await library.openImageCache(env);
      if (typeof found === 'string') throw new CogVLM2Error('write_failed', found);
      return found.directory;
    }),
    hasFfmpeg: await library.hasFfmpeg(),
    partialFiles: [
      ...[resolve('.'), resolve(env.COGVLM2_MODELS || 'models')].flatMap((directory) =>
        abandonedPartials(directory),
      ),
      ...(await abandonedFolders()),
    ],
    paths: {
      package: packageDirectory(),
      models: resolve(env.COGVLM2_MODELS || 'models'),
      state: stateDirectory(env),
    },
    settings,
    unknownSettings: unknown.map((name) => ({ name, didYouMean: nearest(name, known) ?? null })),
  };
}

export function isHealthy(report: DoctorReport): boolean {
  return 'value' in report.libraries && 'value' in report.devices && 'value' in report.models;
}

export function renderReport(report: DoctorReport): string {
  const { memory, paths } = report;
  const lines: [string, string][] = [
    ['cogvlm2', report.version],
    ['node', report.node],
    ['platform', report.platform],
    ['cpu', `${report.cpu}, ${report.cores} threads for this process`],
    ['memory', `${formatBytes(memory.totalBytes)}, ${formatBytes(memory.freeBytes)} free`],
    ...partLines('libraries', report.libraries, (l) => [
      `ggml ${l.version}, commit ${l.commit}, ${l.directory}`,
    ]),
    ...partLines('devices', report.devices, (devices) =>
      devices.map(
        (d) =>
          `${d.name} (${d.kind}): ${d.description}, ${formatBytes(d.memoryTotalBytes)}, ${formatBytes(d.memoryFreeBytes)} free`,
      ),
    ),
    ...partLines('kernels', report.kernels, ({ variant, supported, reason }) => [
      variant === 'ggml'
        ? `ggml's: ${reason}`
        : `our own, for ${variantNames[variant]} (COGVLM2_KERNELS=${variant})`,
      ...(supported.length > 0 ? [`this processor can run ${supported.join(', ')}`] : []),
    ]),
    ...partLines('packed', report.packedTypes, (types) => [
      types.length === 0 ? 'no type of weights' : `${types.join(', ')}: the CPU's faster types of weights`,
    ]),
    ...gpuLines(report),
    ...partLines('models', report.models, (models) =>
      models.map((m) => `${m.name}: ${formatBytes(m.sizeBytes)}, ${m.types}, ${m.format}, ${m.path}`),
    ),
    ...partLines('image cache', report.imageCache, (directory) => [directory]),
    [
      'videos',
      report.hasFfmpeg
        ? 'ffmpeg and ffprobe are installed'
        : 'no ffmpeg and ffprobe: video models read folders of frames only',
    ],
    ['paths', `package ${paths.package}`],
    ['', `models ${paths.models}`],
    ['', `state ${paths.state ?? 'none: this user has no home folder'}`],
    ...(report.partialFiles.length === 0
      ? []
      : labelled(
          'left over',
          report.partialFiles.map((file) => `${file}: left by a process that was killed; delete it`),
        )),
    ...labelled(
      'settings',
      Object.entries(report.settings).map(([name, value]) => `${name}=${value}`),
    ),
    ...report.unknownSettings.map(({ name, didYouMean }): [string, string] => [
      'warning',
      `cogvlm2 has no variable ${name}${didYouMean === null ? '' : ` (did you mean ${didYouMean}?)`}`,
    ]),
  ];
  return renderTable(lines);
}

function partLines<T>(label: string, part: Found<T>, lines: (value: T) => string[]): [string, string][] {
  return labelled(label, 'problem' in part ? [`not working: ${part.problem}`] : lines(part.value));
}

/** How to add a GPU, if there is none. */
function gpuLines({ libraries, devices }: DoctorReport): [string, string][] {
  if (!('value' in libraries) || !('value' in devices)) return [];
  if (devices.value.some(({ kind }) => kind !== 'cpu')) return [];
  return labelled(
    'for a GPU',
    libraries.value.extras.map((name) => `npm install ${name}, and the driver of the card`),
  );
}

/** Only the first line has the label. */
function labelled(label: string, lines: readonly string[]): [string, string][] {
  return (lines.length === 0 ? ['none'] : lines).map((line, i) => [i === 0 ? label : '', line]);
}

async function attempt<T>(ask: () => Promise<T>): Promise<Found<T>> {
  try {
    return { value: await ask() };
  } catch (error) {
    return { problem: failureOf(error).sentence };
  }
}
