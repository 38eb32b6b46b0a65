/**
 * zrender takes a line's height from the width of '国'; without a CJK font that is too little and the labels of a
 * 3-D view lose their tops. To be imported before any chart: zrender keeps what it has
 * measured of a font, and flat charts have the same ones.
 */
import { setPlatformAPI } from 'echarts/core';

/** null where there is no page, as in tests and benchmarks: zrender estimates there. */
const context = typeof document === 'undefined' ? null : document.createElement('canvas').getContext('2d');

if (context !== null)
  setPlatformAPI({
    measureText(text, font) {
      if (font !== undefined && context.font !== font) context.font = font;
      if (text !== '国') return context.measureText(text);
      const size = /(\d+(?:\.\d+)?)px/.exec(context.font)?.[1];
      return { width: size === undefined ? 12 : Number(size) };
    },
  });
