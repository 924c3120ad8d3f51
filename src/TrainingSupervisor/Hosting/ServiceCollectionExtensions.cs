using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Hosting;

namespace TrainingSupervisor;

/// <summary>Adds the supervisor to a host.</summary>
public static class TrainingSupervisorServiceCollectionExtensions
{
    /// <summary>
    /// Adds <see cref="ITrainingSupervisor"/>, the service that runs it, and a health check named <c>training-supervisor</c>.
    /// </summary>
    /// <param name="services">The host's services.</param>
    /// <param name="configure">Sets options; validated when the host starts.</param>
    public static IServiceCollection AddTrainingSupervisor(this IServiceCollection services, Action<TrainingSupervisorOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(services);
        var options = services.AddOptions<TrainingSupervisorOptions>().ValidateOnStart();
        if (configure is not null) options.Configure(configure);
        options.Validate(o => o.KubeConfigPath is null || File.Exists(o.KubeConfigPath), "KubeConfigPath names a file that does not exist.");
        services.TryAddSingleton(TimeProvider.System);
        services.TryAddSingleton<Supervisor>();
        services.TryAddSingleton<ITrainingSupervisor>(p => p.GetRequiredService<Supervisor>());
        services.AddSingleton<IHostedService>(p => p.GetRequiredService<Supervisor>());
        services.AddHealthChecks().AddCheck<SupervisorHealthCheck>("training-supervisor");
        return services;
    }
}
