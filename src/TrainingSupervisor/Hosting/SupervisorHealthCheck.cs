using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace TrainingSupervisor;

/// <summary>Unhealthy when a gang's loop has ended by an error; degraded when a gang is waiting to be led by this process.</summary>
internal sealed class SupervisorHealthCheck(ITrainingSupervisor supervisor) : IHealthCheck
{
    public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default)
    {
        var gangs = supervisor.Gangs;
        var data = gangs.ToDictionary(g => g.FullName, object (g) => g.Status.Phase.ToString());
        var broken = gangs.Where(g => g.Completion.IsFaulted).Select(g => g.FullName).ToList();
        var following = gangs.Where(g => !g.IsLeading && !g.Completion.IsCompleted).Select(g => g.FullName).ToList();
        return Task.FromResult(
            broken.Count > 0 ? HealthCheckResult.Unhealthy($"Supervision has ended by an error: {string.Join(", ", broken)}", data: data)
            : following.Count > 0 ? HealthCheckResult.Degraded($"Another process leads: {string.Join(", ", following)}", data: data)
            : HealthCheckResult.Healthy($"{gangs.Count} gangs", data));
    }
}
