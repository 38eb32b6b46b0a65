/** What the page says, in its language. */
import { language, type Language } from './language.ts';
import { german } from './strings.de.ts';
import { english, type Strings } from './strings.en.ts';

const catalogues: Readonly<Record<Language, Strings>> = { en: english, de: german };

export const strings: Strings = catalogues[language];
