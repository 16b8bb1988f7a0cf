export { waitFor } from "../args/wait";
