package lane
func (l *Lane) Debug() (uint32, uint32, uint32, int64, uint32) { return *l.w32(atWorkerState), *l.w32(atWorkerCPU), l.cpu, l.purse, *l.h32(atHostCPU) }
