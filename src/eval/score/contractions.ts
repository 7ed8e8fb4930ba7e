/**
 * The contractions of the VQA answer normalisation: a word that lost an apostrophe, and the word with it. The
 * list is data of the metric, kept with its oddities: `somebody'd` loses its apostrophe, and the four words with
 * a capital I never match because the text is lower-case by then.
 */
const restored = `ain't aren't can't could've couldn't didn't doesn't don't hadn't hasn't haven't he'd he's how'd
how'll how's I'm I've isn't it'd it'll ma'am mightn't might've mustn't must've needn't not've o'clock oughtn't
shan't should've shouldn't somebody'll somebody's someone'd someone'll someone's something'd something'll that's
there'd there're there's they'd they'll they're they've 'twas wasn't we've weren't what'll what're what's what've
when's where'd where's where've who'd who'll who's who've why'll why're why's won't would've wouldn't y'all you'd
you'll you're you've`;

/** Two apostrophes: each of them may be the lost one. */
const restoredTwice = `couldn't've hadn't've he'd've I'd've it'd've mightn't've she'd've shouldn't've somebody'd've
someone'd've something'd've there'd've they'd've we'd've who'd've wouldn't've y'all'll you'd've`;

function eachApostropheDropped(word: string): [string, string][] {
  return Array.from(word.matchAll(/'/g), ({ index }) => [word.slice(0, index) + word.slice(index + 1), word]);
}

export const contractions: ReadonlyMap<string, string> = new Map([
  ...restored.split(/\s+/).flatMap(eachApostropheDropped),
  ...restoredTwice.split(/\s+/).flatMap(eachApostropheDropped),
  ...eachApostropheDropped("y'all'd've"),
  ...eachApostropheDropped("'ow's'at"),
  ["somebody'd", 'somebodyd'],
  ["let's", "let's"],
  ["she's", "she's"],
]);
