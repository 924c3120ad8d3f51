using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;

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
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IValidateOptions<TrainingSupervisorOptions>, OptionsValidator>());
        if (services.Any(s => s.ServiceType == typeof(Supervisor))) return services;
        services.TryAddSingleton(TimeProvider.System);
        services.AddSingleton<Supervisor>();
        services.TryAddSingleton<ITrainingSupervisor>(p => p.GetRequiredService<Supervisor>());
        services.AddSingleton<IHostedService>(p => p.GetRequiredService<Supervisor>());
        services.AddHealthChecks().AddCheck<SupervisorHealthCheck>("training-supervisor");
        return services;
    }
}
