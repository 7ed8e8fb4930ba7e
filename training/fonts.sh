#!/usr/bin/env bash
# Installs the faces that faces.py draws with: Debian packages, and npm packages of web fonts converted to TrueType.
#   bash fonts.sh FOLDER        (as root for apt-get; afterwards export DEMO_FONTS=FOLDER)
set -eu
folder=$(realpath -m "${1:?usage: fonts.sh FOLDER}")
here=$(cd "$(dirname "$0")" && pwd)
wanted="fonts-dejavu fonts-liberation fonts-lato fonts-roboto-unhinted fonts-open-sans fonts-noto-core fonts-noto-extra fonts-noto-mono
fonts-freefont-ttf fonts-urw-base35 fonts-crosextra-carlito fonts-crosextra-caladea fonts-cabin fonts-dosis fonts-play
fonts-ebgaramond fonts-sil-andika fonts-sil-charis fonts-sil-gentium fonts-vollkorn fonts-fanwood fonts-junicode fonts-adf-accanthis
fonts-adf-gillius fonts-adf-libris fonts-averia-sans-gwf fonts-averia-serif-gwf fonts-comfortaa fonts-hack fonts-firacode
fonts-mononoki fonts-fantasque-sans fonts-yanone-kaffeesatz fonts-lobstertwo fonts-dancingscript fonts-humor-sans
fonts-noto-cjk fonts-noto-cjk-extra fonts-wqy-microhei fonts-wqy-zenhei fonts-lxgw-wenkai fonts-babelstone-han fonts-hanazono
fonts-cns11643-kai fonts-cns11643-sung fonts-smiley-sans"
apt-get update
found=""
for package in $wanted; do # one package without a candidate would stop the whole install
  if apt-cache policy "$package" | grep -q 'Candidate: [^(]'; then found="$found $package"; else echo "not available: $package"; fi
done
# shellcheck disable=SC2086
DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $found

mkdir -p "$folder/npm"
cd "$folder/npm"
[ -f package.json ] || npm init -y > /dev/null
web="alegreya alfa-slab-one amatic-sc archivo archivo-narrow architects-daughter arimo asap bangers be-vietnam-pro bitter bungee cardo chivo
cinzel cormorant-garamond courgette cousine cutive-mono dm-mono dm-sans domine encode-sans exo-2 figtree fira-sans fira-sans-condensed
fjalla-one fredoka gochi-hand heebo hind ibm-plex-sans ibm-plex-serif indie-flower inter jetbrains-mono kalam kanit karla league-gothic lexend
libre-franklin lora manrope mukta mulish neucha noticia-text noto-sans-mono old-standard-tt orbitron outfit overpass-mono oxygen pacifico
passion-one pathway-gothic-one patrick-hand patua-one permanent-marker playball plus-jakarta-sans press-start-2p prompt pt-sans public-sans
red-hat-display righteous roboto-slab rokkitt saira-condensed satisfy shadows-into-light share-tech-mono signika slabo-27px sora
source-code-pro source-sans-3 source-serif-4 space-grotesk spectral staatliches teko tinos titillium-web ubuntu ubuntu-mono ultra urbanist
varela-round zcool-qingke-huangyou"
# shellcheck disable=SC2086
npm install --ignore-scripts --no-audit --no-fund $(for name in $web; do echo "@fontsource/$name"; done) @chinese-fonts/dyh @chinese-fonts/hlxsjt @chinese-fonts/jxzk @chinese-fonts/mksjh
python3 "$here/webfonts.py" "$folder/npm/node_modules" "$folder/ttf"
