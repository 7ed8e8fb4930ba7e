import { useRef } from 'preact/hooks';
import { addFiles } from '../state/intake.ts';
import { useApp, useText } from '../state/state.ts';
import { IconButton } from './icon-button.tsx';
import { Icon } from './icons.tsx';

const ACCEPT = 'image/*,application/pdf,.heic,.tif,.tiff,.avif,.bmp';

/**
 * Buttons to choose images, PDFs, a folder, and videos if the model takes them, and to take a photo on a touch screen. `small`: icons,
 * for the composer; `large`: with words; `add`: with words, for a table.
 */
export function PickFiles({ kind }: { kind: 'large' | 'small' | 'add' }) {
  const text = useText();
  const takesVideo = useApp(({ info }) => info?.video != null);
  const label = takesVideo ? text.chooseFilesOrVideos : text.chooseFiles;
  const files = useRef<HTMLInputElement>(null);
  const folder = useRef<HTMLInputElement>(null);
  const photo = useRef<HTMLInputElement>(null);
  const onChange = ({ currentTarget: input }: { currentTarget: HTMLInputElement }) => {
    void addFiles([...(input.files ?? [])]);
    // The same file can be chosen once more.
    input.value = '';
  };
  const isTouch = matchMedia('(pointer: coarse)').matches;
  const chooseFiles = () => files.current?.click();
  const chooseFolder = () => folder.current?.click();
  const takePhoto = () => photo.current?.click();
  return (
    <>
      <input
        ref={files}
        type="file"
        accept={takesVideo ? `${ACCEPT},video/*` : ACCEPT}
        multiple
        hidden
        onChange={onChange}
      />
      {/* Not in Preact's types. */}
      <input ref={folder} type="file" {...{ webkitdirectory: true }} multiple hidden onChange={onChange} />
      <input ref={photo} type="file" accept="image/*" capture="environment" hidden onChange={onChange} />
      {kind === 'small' ? (
        <>
          <IconButton icon="image" label={label} onClick={chooseFiles} />
          {isTouch && <IconButton icon="camera" label={text.takePhoto} onClick={takePhoto} />}
        </>
      ) : (
        <>
          <button type="button" class={kind === 'large' ? 'primary' : 'plain'} onClick={chooseFiles}>
            <Icon name={kind === 'large' ? 'image' : 'plus'} />{' '}
            {kind === 'large' ? label : text.batch.addFiles}
          </button>
          {isTouch ? (
            <button type="button" class="plain" onClick={takePhoto}>
              <Icon name="camera" /> {text.takePhoto}
            </button>
          ) : (
            <button type="button" class="plain" onClick={chooseFolder}>
              <Icon name="folder" /> {text.chooseFolder}
            </button>
          )}
        </>
      )}
    </>
  );
}
