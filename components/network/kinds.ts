export * from "./bridge/BridgeNetwork";
export * from "./flannel/FlannelNetwork";
export * from "./kube-router/KubeRouterNetwork";
export * from "./cilium/CiliumNetwork";
