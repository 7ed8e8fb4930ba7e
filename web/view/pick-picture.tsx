import { useRef } from 'preact/hooks';
import { addPictures } from '../state/pictures.ts';
import { useText } from '../state/state.ts';
import { IconButton } from './icon-button.tsx';
import { Icon } from './icons.tsx';

/** Choosing a picture, and where there is a touch screen, taking one. Two buttons: large with words, small with icons. */
export function PickPicture({ kind }: { kind: 'large' | 'small' }) {
  const text = useText();
  const chosen = useRef<HTMLInputElement>(null);
  const taken = useRef<HTMLInputElement>(null);
  const onChange = ({ currentTarget: input }: { currentTarget: HTMLInputElement }) => {
    void addPictures([...(input.files ?? [])]);
    // The same file can be chosen once more.
    input.value = '';
  };
  const isTouch = matchMedia('(pointer: coarse)').matches;
  return (
    <>
      <input ref={chosen} type="file" accept="image/*" hidden onChange={onChange} />
      <input ref={taken} type="file" accept="image/*" capture="environment" hidden onChange={onChange} />
      {kind === 'small' ? (
        <IconButton icon="picture" label={text.choosePicture} onClick={() => chosen.current?.click()} />
      ) : (
        <button type="button" class="primary" onClick={() => chosen.current?.click()}>
          <Icon name="picture" /> {text.choosePicture}
        </button>
      )}
      {isTouch && kind === 'small' && (
        <IconButton icon="camera" label={text.takePhoto} onClick={() => taken.current?.click()} />
      )}
      {isTouch && kind === 'large' && (
        <button type="button" class="plain" onClick={() => taken.current?.click()}>
          <Icon name="camera" /> {text.takePhoto}
        </button>
      )}
    </>
  );
}
