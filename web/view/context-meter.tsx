import { contextUse } from '../conversation/context-use.ts';
import { pathOf } from '../conversation/tree.ts';
import { currentConversation, currentDraft, useApp, useText } from '../state/state.ts';

const NEARLY_FULL = 0.9;

/** The used part of the model's context, including the image's tokens. */
export function ContextMeter() {
  const text = useText();
  const info = useApp((value) => value.info);
  const conversation = useApp(currentConversation);
  const showsDetails = useApp(({ settings }) => settings.showsDetails);
  const hasImage = useApp((value) => currentDraft(value).imageId !== null);
  if (!info?.contextTokens) return <span class="meter" />;
  const path = conversation ? pathOf(conversation) : [];
  const { imageTokens, textTokens } = contextUse(path, hasImage, info.imageTokens ?? 0);
  const used = imageTokens + textTokens;
  if (used === 0) return <span class="meter" />;
  const isNearlyFull = used > info.contextTokens * NEARLY_FULL;
  if (!isNearlyFull && !showsDetails) return <span class="meter" />;
  const more = text.contextMore(imageTokens, textTokens);
  return (
    <span class={`meter ${isNearlyFull ? 'full' : ''}`} title={more}>
      <meter min={0} max={info.contextTokens} value={used} aria-label={more} />
      <span>{text.context(used, info.contextTokens)}</span>
      {isNearlyFull && <span class="meter-full">{text.contextFull}</span>}
    </span>
  );
}
