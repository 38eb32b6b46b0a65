/** The page's language: that of the document where it is spoken here, English otherwise. */

/** Languages that have a catalogue, strings.<language>.ts. */
export const languages = ['en', 'de'] as const;
export type Language = (typeof languages)[number];

/** The catalogue for a language tag: `de-AT` is spoken as `de`. */
export function spoken(tag: string): Language {
  const [primary] = tag.toLowerCase().split('-');
  return languages.find((language) => language === primary) ?? 'en';
}

/** Read once: an editor that changes its language starts its windows anew. */
export const language: Language =
  typeof document === 'undefined' ? 'en' : spoken(document.documentElement.lang);

// What the page says is in this language, whatever the editor's is: readers of the screen choose their voice by it.
if (typeof document !== 'undefined') document.documentElement.lang = language;
