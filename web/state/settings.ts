import type { Json } from '../api/json.ts';
import type { Message, VisualPart } from '../api/messages.ts';
import { textFor } from '../language/choose.ts';
import { type Settings, writeSettings } from '../storage/settings.ts';
import { state } from './state.ts';
import { checkServer } from './watch.ts';

export function changeSettings(change: Partial<Settings>): void {
  const settings = { ...state.value.settings, ...change };
  writeSettings(settings);
  applySettings(settings);
  if (change.apiKey !== undefined) checkServer(true);
}

/** With the published models it takes time and is untested, so the user must turn it on. */
export function wantsEvidence({ settings, info } = state.value): boolean {
  return settings.showsEvidence ?? info?.isDemo === true;
}

/** A chat request with the sampling of the settings, and evidence if it is wanted. */
export function chatBody(messages: Message[], visual: VisualPart | null): Json {
  const { info, settings } = state.value;
  return {
    model: info?.model ?? 'default',
    messages,
    ...(visual?.type === 'image_url' && wantsEvidence() && { return_evidence: true }),
    ...settings.sampling,
  };
}

/** The language and the colour scheme; by default those of the system. */
export function applySettings(settings: Settings): void {
  const text = textFor(settings.language, navigator.languages);
  const isDark = settings.theme === 'auto' ? darkSystem().matches : settings.theme === 'dark';
  const root = document.documentElement;
  root.lang = text.code;
  root.dataset.theme = isDark ? 'dark' : 'light';
  state.set({ settings, text });
}

export function darkSystem(): MediaQueryList {
  return matchMedia('(prefers-color-scheme: dark)');
}
