import { randomBytes } from 'node:crypto';

export interface PageSource {
  readonly title: string;
  readonly language: string;
  /** The webview's source for its own resources. */
  readonly cspSource: string;
  readonly script: string;
  readonly style: string;
}

/** The document of a page: a strict policy, one style sheet, one module script. */
export function pageHtml({ title, language, cspSource, script, style }: PageSource): string {
  const nonce = randomBytes(18).toString('base64url');
  const policy = [
    "default-src 'none'",
    `img-src ${cspSource} data: blob:`,
    // Charts set inline styles on the elements they make.
    `style-src ${cspSource} 'unsafe-inline'`,
    `font-src ${cspSource}`,
    // The source beside the nonce is for chunks that the module imports, the 3-D surface among them.
    `script-src 'nonce-${nonce}' ${cspSource}`,
    `connect-src ${cspSource}`,
    "base-uri 'none'",
  ].join('; ');
  return `<!DOCTYPE html>
<html lang="${escape(language)}">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${escape(policy)}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="stylesheet" href="${escape(style)}">
<title>${escape(title)}</title>
</head>
<body>
<main id="app"></main>
<script type="module" nonce="${nonce}" src="${escape(script)}"></script>
</body>
</html>`;
}

function escape(text: string): string {
  return text.replace(/[&<>"]/g, (c) => `&#${c.charCodeAt(0)};`);
}
