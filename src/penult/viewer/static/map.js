export const start = () => false;
export const show = () => {};
export const recolour = () => {};
export const fit = () => {};
export const toggleLasso = () => {};
