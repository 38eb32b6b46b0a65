/** echarts-gl ships no types; these are the parts that the 3-D view registers. */
declare module 'echarts-gl/charts' {
  export const Line3DChart: (registers: unknown) => void;
  export const Scatter3DChart: (registers: unknown) => void;
  export const SurfaceChart: (registers: unknown) => void;
}
declare module 'echarts-gl/components' {
  export const Grid3DComponent: (registers: unknown) => void;
}
