using System.Globalization;

namespace TrainingSupervisor.Agent;

/// <summary>What the Pod factory tells the agent through its environment.</summary>
internal sealed record AgentOptions
{
    internal required string Gang { get; init; }
    internal required string Namespace { get; init; }
    internal required string Role { get; init; }
    internal required string PodName { get; init; }
    internal required string PodUid { get; init; }
    internal required string PodIp { get; init; }
    internal required string Node { get; init; }
    internal required string SecretDirectory { get; init; }
    internal required string Directory { get; init; }
    internal required Uri LivenessUrl { get; init; }
    internal int RestartExitCode { get; init; } = 88;
    internal int MasterPort { get; init; } = 29500;
    internal TimeSpan ExitHold { get; init; } = TimeSpan.FromSeconds(600);

    /// <summary>The options, or every problem with them in one line.</summary>
    internal static AgentOptions? FromEnvironment(IReadOnlyDictionary<string, string> variables, out string problem)
    {
        List<string> missing = [], wrong = [];
        var livenessText = variables.GetValueOrDefault("GANG_LIVENESS_URL");
        if (string.IsNullOrEmpty(livenessText))
        {
            string host = Required("KUBERNETES_SERVICE_HOST"), port = Required("KUBERNETES_SERVICE_PORT");
            livenessText = host.Contains(':', StringComparison.Ordinal) ? $"https://[{host}]:{port}/livez" : $"https://{host}:{port}/livez";
        }

        var liveness = Uri.TryCreate(livenessText, UriKind.Absolute, out var uri) && uri.Scheme is "http" or "https" ? uri : null;
        if (liveness is null && missing.Count == 0)
            wrong.Add($"the liveness address '{livenessText}' is no http(s) URL");

        var options = new AgentOptions
        {
            Gang = Required("GANG_NAME"),
            Namespace = Required("GANG_NAMESPACE"),
            Role = Required("GANG_ROLE"),
            PodName = Required("POD_NAME"),
            PodUid = Required("POD_UID"),
            PodIp = Required("POD_IP"),
            Node = Required("NODE_NAME"),
            SecretDirectory = Required("GANG_AGENT_SECRET_DIR"),
            Directory = Required("GANG_DIR"),
            LivenessUrl = liveness ?? new Uri("https://invalid/"),
            RestartExitCode = Number("GANG_RESTART_EXIT_CODE", 88, 1, 255),
            MasterPort = Number("GANG_MASTER_PORT", 29500, 1, 65535),
            ExitHold = TimeSpan.FromSeconds(Number("GANG_EXIT_HOLD_SECONDS", 600, 0, int.MaxValue / 1000)),
        };
        List<string> problems = [];
        if (missing.Count > 0)
            problems.Add($"missing environment variables: {string.Join(", ", missing)}");
        problems.AddRange(wrong);
        problem = string.Join("; ", problems);
        return problems.Count == 0 ? options : null;

        string Required(string name)
        {
            if (variables.GetValueOrDefault(name) is { Length: > 0 } value)
                return value;
            missing.Add(name);
            return "";
        }

        int Number(string name, int fallback, int low, int high)
        {
            if (variables.GetValueOrDefault(name) is not { Length: > 0 } text)
                return fallback;
            if (int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var value) && value >= low && value <= high)
                return value;
            wrong.Add($"{name} is '{text}', not a number from {low} to {high}");
            return fallback;
        }
    }
}
