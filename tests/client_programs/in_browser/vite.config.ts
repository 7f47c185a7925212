// Relative addresses, so that the page may stand in any folder.
export default { base: "./", build: { target: "es2022" } };
