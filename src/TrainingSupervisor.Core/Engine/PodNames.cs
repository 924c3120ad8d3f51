using System.Globalization;

namespace TrainingSupervisor.Engine;

/// <summary>Pod names carry the incarnation, so that a replacement never waits for the old Pod to be gone.</summary>
internal static class PodNames
{
    public static string Of(GangSpec spec, WorkerId worker, int incarnation) =>
        spec.IsAdopted ? Adoption.Place(worker, incarnation)
            : string.Create(CultureInfo.InvariantCulture, $"{spec.Name}-{worker.Role}-{worker.Index}-{incarnation}");

    public static string Next(GangState state, WorkerId worker) =>
        Of(state.Spec, worker, state.Incarnations.GetValueOrDefault(worker.ToString(), 1) + 1);

    public static string Spare(GangSpec spec, string role, int serial) =>
        string.Create(CultureInfo.InvariantCulture, $"{spec.Name}-{role}-spare-{serial}");
}
