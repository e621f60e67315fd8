/** A task's upload directory below the hub's `work/` (`koji.pathinfo.taskrelpath`). */
export function taskUploadPath(taskId: number): string {
  return `tasks/${taskId % 10_000}/${taskId}`;
}
